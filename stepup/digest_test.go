package stepup

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stepkey/stepkey/internal/keptform"
)

const (
	urlencoded    = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=----WebKitFormBoundaryAbc"
)

// parts writes a multipart body as Chromium does; each text is the rest of a part after
// "Content-Disposition: form-data; ".
func parts(list ...string) string {
	var b strings.Builder
	for _, part := range list {
		b.WriteString("------WebKitFormBoundaryAbc\r\nContent-Disposition: form-data; " + part + "\r\n")
	}
	return b.String() + "------WebKitFormBoundaryAbc--\r\n"
}

func post(contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", "/payouts", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

const jsonType = "application/json"

func TestActionFields(t *testing.T) {
	names := []string{"to", "amount", "memo"}
	for _, test := range []struct {
		name, contentType, body string
		want                    []actionField
	}{
		{"a form", urlencoded, "amount=5&to=Mira+%C3%84&csrf=x&csrf=y", []actionField{{"to", "Mira Ä", textValue}, {"amount", "5", textValue}, {"memo", "", absentValue}}},
		{"pairs that no browser writes", urlencoded, "amount=5&&to=%c3%84", []actionField{{"to", "Ä", textValue}, {"amount", "5", textValue}, {"memo", "", absentValue}}},
		{"an empty field", urlencoded, "memo=&amount=5", []actionField{{"to", "", absentValue}, {"amount", "5", textValue}, {"memo", "", textValue}}},
		{"multipart with a file beside", multipartType, parts(`name="amount"`+"\r\n\r\n5", `name="f"; filename="a.bin"`+"\r\nContent-Type: image/png\r\n\r\n\xff"), []actionField{{"to", "", absentValue}, {"amount", "5", textValue}, {"memo", "", absentValue}}},
		{"JSON", jsonType, `{"amount": 5.0, "more": {"amount": [1]}, "to": "M\u00e4\n", "memo": null}`, []actionField{{"to", "Mä\n", textValue}, {"amount", "5.0", numberValue}, {"memo", "", nullValue}}},
		{"JSON of a kind", "application/vnd.api+json; charset=utf-8", ` {"to":true,"amount":-1e3,"memo":false} `, []actionField{{"to", "true", booleanValue}, {"amount", "-1e3", numberValue}, {"memo", "false", booleanValue}}},
		{"no body", "", "", []actionField{{"to", "", absentValue}, {"amount", "", absentValue}, {"memo", "", absentValue}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(test.contentType, test.body)
			got, err := readAction(r, "payout", "/payouts", names)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.fields); diff != "" {
				t.Error(diff)
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != test.body {
				t.Errorf("the handler reads %q, %v", body, err)
			}
		})
	}
}

// The handler reads what was shown, in the way that it always does.
func TestHandlersReadTheBodyAgain(t *testing.T) {
	closed := false
	r := post(urlencoded, "amount=5&to=Mira")
	r.Body = struct {
		io.Reader
		io.Closer
	}{r.Body, closer(func() { closed = true })}
	if _, err := readAction(r, "payout", "/payouts", []string{"amount"}); err != nil {
		t.Fatal(err)
	}
	if got := r.FormValue("amount") + r.FormValue("to"); got != "5Mira" {
		t.Error(got)
	}
	if err := r.Body.Close(); err != nil || !closed {
		t.Error("the connection's body stays open")
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

func TestActionsThatCannotBeShown(t *testing.T) {
	for _, test := range []struct {
		name, target, contentType, body string
		want                            keptform.Fault
	}{
		{"a field twice", "/", urlencoded, "amount=5&amount=500", keptform.FaultRepeated},
		{"a field twice with one value", "/", urlencoded, "amount=5&amount=5", keptform.FaultRepeated},
		{"a field in another case", "/", urlencoded, "amount=5&Amount=500", keptform.FaultRepeated},
		{"a part twice", "/", multipartType, parts(`name="amount"`+"\r\n\r\n5", `name="amount"`+"\r\n\r\n500"), keptform.FaultRepeated},
		{"a member twice", "/", jsonType, `{"amount":5,"amount":500}`, keptform.FaultRepeated},
		{"a member twice, once as null", "/", jsonType, `{"amount":null,"amount":500}`, keptform.FaultRepeated},
		{"a member in another case", "/", jsonType, `{"amount":5,"AMOUNT":500}`, keptform.FaultRepeated},
		{"a member in another case alone", "/", jsonType, `{"Amount":500}`, keptform.FaultRepeated},
		{"a member with an escape", "/", jsonType, `{"amount":5,"\u0061mount":500}`, keptform.FaultRepeated},
		{"a member with a long s", "/", jsonType, `{"pass":"a","paſs":"b"}`, keptform.FaultRepeated},
		{"a member with a Kelvin sign", "/", jsonType, "{\"to-ken\":\"a\",\"to\u212aen\":\"b\"}", keptform.FaultRepeated},
		{"a member with dashes", "/", jsonType, `{"amount":5,"a_mou-nt":500}`, keptform.FaultRepeated},
		{"in the query", "/?amount=500", urlencoded, "to=Mira", keptform.FaultInQuery},
		{"in the query and in the body", "/?amount=500", urlencoded, "amount=5", keptform.FaultInQuery},
		{"in the query in another case", "/?AMOUNT=500", jsonType, `{"amount":5}`, keptform.FaultInQuery},
		{"a query that parsers read differently", "/?a;amount=500", urlencoded, "amount=5", keptform.FaultMalformed},
		{"a list", "/", jsonType, `{"amount":[5]}`, keptform.FaultValue},
		{"an object", "/", jsonType, `{"amount":{"value":5}}`, keptform.FaultValue},
		{"a file", "/", multipartType, parts(`name="amount"; filename="a"` + "\r\nContent-Type: text/plain\r\n\r\n5"), keptform.FaultValue},
		{"a file that net/http takes for a value", "/", multipartType, parts(`name="amount"; filename=""` + "\r\n\r\n500"), keptform.FaultValue},
		{"a name that net/http unescapes", "/", multipartType, parts(`name="it[0]"`+"\r\n\r\n5", `name="it\[0]"`+"\r\n\r\n500"), keptform.FaultMalformed},
		{"JSON that says it is a form", "/", urlencoded, `{"amount":500,"a":"&amount=5"}`, keptform.FaultMalformed},
		{"JSON before the parts", "/", multipartType, `{"amount":500}` + "\r\n" + parts(`name="amount"`+"\r\n\r\n5"), keptform.FaultMalformed},
		{"a bad escape", "/", urlencoded, "amount=%zz", keptform.FaultMalformed},
		{"a bad escape in a name", "/", urlencoded, "amount=5&%zz=1", keptform.FaultMalformed},
		{"another type", "/", "application/xml", "<amount>5</amount>", keptform.FaultType},
		{"JSON in another charset", "/", jsonType + "; charset=utf-16", "{}", keptform.FaultCharset},
		{"JSON that is not UTF-8", "/", jsonType, "{\"amount\":\"\xe9\"}", keptform.FaultCharset},
		{"no object", "/", jsonType, `[{"amount":5}]`, keptform.FaultMalformed},
		{"a list that looks like members", "/", jsonType, `["amount",5]`, keptform.FaultMalformed},
		{"two objects", "/", jsonType, `{"amount":5}{"amount":500}`, keptform.FaultMalformed},
		{"an object without an end", "/", jsonType, `{"amount":5`, keptform.FaultMalformed},
		{"a bad member", "/", jsonType, `{"amount":5,"a":01}`, keptform.FaultMalformed},
		{"a bad name", "/", jsonType, `{amount:5}`, keptform.FaultMalformed},
		{"too large", "/", jsonType, `{"amount":5,"a":"` + strings.Repeat("a", 64<<10) + `"}`, keptform.FaultTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(test.contentType, test.body)
			r.URL = httptest.NewRequest("POST", test.target, nil).URL
			got, err := readAction(r, "payout", "/payouts", []string{"amount", "pass", "to-ken", "it[0]"})
			if !errors.Is(err, test.want) {
				t.Errorf("%v, %v; want %v", got.fields, err, test.want)
			}
		})
	}
}

// Only the same action has the same digest.
func TestDigests(t *testing.T) {
	digest := func(purpose, method, uri, contentType, body string, names ...string) [32]byte {
		t.Helper()
		r := post(contentType, body)
		r.Method = method
		a, err := readAction(r, purpose, uri, names)
		if err != nil {
			t.Fatal(err)
		}
		return a.digest
	}
	first := digest("payout", "POST", "/payouts", urlencoded, "to=Mira&amount=5", "to", "amount")
	for _, test := range []struct {
		name string
		got  [32]byte
	}{
		{"fields in another order", digest("payout", "POST", "/payouts", urlencoded, "amount=5&to=Mira", "to", "amount")},
		{"named in another order", digest("payout", "POST", "/payouts", urlencoded, "to=Mira&amount=5", "amount", "to")},
		{"more fields, which are not shown", digest("payout", "POST", "/payouts", urlencoded, "to=Mira&amount=5&csrf=1", "to", "amount")},
		{"the same as JSON", digest("payout", "POST", "/payouts", jsonType, `{"amount":"5","to":"Mira"}`, "to", "amount")},
	} {
		if test.got != first {
			t.Errorf("%s: another digest", test.name)
		}
	}
	seen := map[[32]byte]string{first: "the first"}
	for _, test := range []struct {
		name string
		got  [32]byte
	}{
		{"another purpose", digest("refund", "POST", "/payouts", urlencoded, "to=Mira&amount=5", "to", "amount")},
		{"another method", digest("payout", "PUT", "/payouts", urlencoded, "to=Mira&amount=5", "to", "amount")},
		{"another path", digest("payout", "POST", "/payouts/2", urlencoded, "to=Mira&amount=5", "to", "amount")},
		{"another value", digest("payout", "POST", "/payouts", urlencoded, "to=Mira&amount=500", "to", "amount")},
		{"values exchanged", digest("payout", "POST", "/payouts", urlencoded, "to=5&amount=Mira", "to", "amount")},
		{"a number", digest("payout", "POST", "/payouts", jsonType, `{"amount":5,"to":"Mira"}`, "to", "amount")},
		{"a number written otherwise", digest("payout", "POST", "/payouts", jsonType, `{"amount":5.0,"to":"Mira"}`, "to", "amount")},
		{"an empty value", digest("payout", "POST", "/payouts", urlencoded, "to=Mira&amount=", "to", "amount")},
		{"null", digest("payout", "POST", "/payouts", jsonType, `{"to":"Mira","amount":null}`, "to", "amount")},
		{"no value", digest("payout", "POST", "/payouts", urlencoded, "to=Mira", "to", "amount")},
		{"one field", digest("payout", "POST", "/payouts", urlencoded, "to=Mira", "to")},
		{"no fields", digest("payout", "POST", "/payouts", urlencoded, "to=Mira")},
		{"a value with the name of another field", digest("payout", "POST", "/payouts", urlencoded, "to=Mira%00amount%005", "to", "amount")},
	} {
		if other, ok := seen[test.got]; ok {
			t.Errorf("%s has the digest of %s", test.name, other)
		}
		seen[test.got] = test.name
	}
}

// The digest covers the names, and a value cannot be written so that it looks like one
// more field.
func TestDigestsKeepFieldsApart(t *testing.T) {
	for _, pair := range [][2][]actionField{
		{{{"to", "Mira", textValue}}, {{"from", "Mira", textValue}}},
		{
			{{"a", "v", textValue}, {"b", "w", textValue}},
			{{"a", "v" + string(keptform.AppendText(nil, "b")) + "\x01w", textValue}},
		},
	} {
		if digestOf("p", "POST", "/", pair[0]) == digestOf("p", "POST", "/", pair[1]) {
			t.Errorf("%v and %v have one digest", pair[0], pair[1])
		}
	}
}

// The encoding before the hash is injective: two different lists of texts differ.
func TestTextsAreCutAsTheyWereAppended(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		texts := rapid.SliceOf(rapid.String()).Draw(rt, "texts")
		var b []byte
		for _, text := range texts {
			b = keptform.AppendText(b, text)
		}
		for _, text := range texts {
			got, rest, ok := keptform.CutText(b)
			if !ok || got != text {
				rt.Fatalf("%q, %v; want %q", got, ok, text)
			}
			b = rest
		}
		if _, _, ok := keptform.CutText(b); ok {
			rt.Fatal("a text out of nothing")
		}
	})
	if _, _, ok := keptform.CutText([]byte{0, 0, 0, 2, 'a'}); ok {
		t.Error("a text that is longer than what there is")
	}
}

func TestActionFieldNames(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  string
	}{
		{nil, ""},
		{[]string{"to", "amount"}, ""},
		{[]string{"to", ""}, "not the name of a field"},
		{[]string{strings.Repeat("a", 129)}, "1 to 128 bytes"},
		{[]string{"to", "to"}, "named twice"},
		{[]string{"iban", "I-BAN"}, "named twice"},
		{strings.Split("abcdefghijklmnop", ""), ""},
		{strings.Split("abcdefghijklmnopq", ""), "17 fields"},
	} {
		if err := checkActionFields(test.names); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.names, err)
		}
	}
}
