package stepup

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

const (
	urlencoded    = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=----WebKitFormBoundaryAbc"
)

var ourOrigins = []string{"https://app.example"}

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

func TestFieldsOfAForm(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		want                    []formField
	}{
		{"repeated, empty, line breaks", urlencoded, "b=2&a=&b=1&memo=one%0D%0Atwo&c=%C3%A9+%2B", []formField{
			{Name: "b", Value: "2"}, {Name: "a"}, {Name: "b", Value: "1"}, {Name: "memo", Value: "one\r\ntwo"}, {Name: "c", Value: "é +"},
		}},
		{"names that a form has itself", urlencoded, "submit=1&action=%2Fevil&method=get&__proto__=x&elements=", []formField{
			{Name: "submit", Value: "1"}, {Name: "action", Value: "/evil"}, {Name: "method", Value: "get"}, {Name: "__proto__", Value: "x"}, {Name: "elements"},
		}},
		{"what browsers leave and escape", urlencoded, "a*-._=%7E", []formField{{Name: "a*-._", Value: "~"}}},
		{"no fields", urlencoded, "", nil},
		{"with a charset", urlencoded + "; charset=UTF-8", "a=1", []formField{{Name: "a", Value: "1"}}},
		{"a page in UTF-8", urlencoded, "_charset_=UTF-8&a=1", []formField{{Name: "_charset_", Value: "UTF-8"}, {Name: "a", Value: "1"}}},
		{"multipart", multipartType, parts(`name="b"`+"\r\n\r\n2", `name="a"`+"\r\n\r\n", `name="b"`+"\r\n\r\none\r\ntwo", `name="a%22b"`+"\r\n\r\né"), []formField{
			{Name: "b", Value: "2"}, {Name: "a"}, {Name: "b", Value: "one\r\ntwo"}, {Name: "a%22b", Value: "é"},
		}},
		{"no file chosen", multipartType, parts(`name="photo"; filename=""`+"\r\nContent-Type: application/octet-stream\r\n\r\n", `name="a"`+"\r\n\r\n1"), []formField{
			{Name: "photo", File: true}, {Name: "a", Value: "1"},
		}},
		{"multipart without fields", multipartType, parts(), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			form, err := keepForm(post(test.contentType, test.body), "/payouts", ourOrigins, noon)
			if err != nil {
				t.Fatal(err)
			}
			got, err := form.fields()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(formField{})); diff != "" {
				t.Error(diff)
			}
			if form.isMultipart() != strings.HasPrefix(test.contentType, "multipart") {
				t.Error("the other encoding")
			}
		})
	}
}

func TestFormsThatAreNotKept(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		want                    bodyFault
	}{
		{"text", "text/plain", "a=1", faultType},
		{"JSON", "application/json", "{}", faultType},
		{"no type", "", "a=1", faultType},
		{"a type that is none", "/;", "a=1", faultType},
		{"a long type", urlencoded + "; a=" + strings.Repeat("a", 300), "a=1", faultType},
		{"another charset", urlencoded + "; charset=windows-1252", "a=1", faultCharset},
		{"a page in another encoding", urlencoded, "_charset_=windows-1252&a=1", faultCharset},
		{"a value in another encoding", urlencoded, "a=%E9", faultCharset},
		{"a name in another encoding", urlencoded, "%E9=a", faultCharset},
		{"a part in another encoding", multipartType, parts(`name="a"` + "\r\n\r\n\xe9"), faultCharset},
		{"a bad escape", urlencoded, "a=%zz", faultMalformed},
		{"a bad escape in a name", urlencoded, "%zz=a", faultMalformed},
		{"semicolons", urlencoded, "a=1;b=2", faultMalformed},
		{"no equals sign", urlencoded, "a", faultMalformed},
		{"an empty pair", urlencoded, "a=1&&b=2", faultMalformed},
		{"escapes in lower case", urlencoded, "a=%c3%a9", faultMalformed},
		{"no name", urlencoded, "=1", faultMalformed},
		{"a file", multipartType, parts(`name="f"; filename="a.txt"` + "\r\nContent-Type: text/plain\r\n\r\nhello"), faultFiles},
		{"an empty file", multipartType, parts(`name="f"; filename="a.txt"` + "\r\nContent-Type: text/plain\r\n\r\n"), faultFiles},
		{"a file without a name", multipartType, parts(`name="f"; filename=""` + "\r\nContent-Type: text/plain\r\n\r\nhello"), faultFiles},
		{"a part without an end", multipartType, "------WebKitFormBoundaryAbc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", faultMalformed},
		{"no last boundary", multipartType, "------WebKitFormBoundaryAbc\r\n", faultMalformed},
		{"no boundary", "multipart/form-data", parts(), faultMalformed},
		{"another boundary", "multipart/form-data; boundary=b", parts(), faultMalformed},
		{"text before the parts", multipartType, "{}\r\n" + parts(`name="a"`+"\r\n\r\n1"), faultMalformed},
		{"a part without a name", multipartType, parts("\r\n\r\n1"), faultMalformed},
		{"a name without an end", multipartType, parts(`name="a` + "\r\n\r\n1"), faultMalformed},
		{"a backslash in a name", multipartType, parts(`name="a\(b"` + "\r\n\r\n1"), faultMalformed},
		{"a transfer encoding", multipartType, parts(`name="a"` + "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=31"), faultMalformed},
		{"two dispositions", multipartType, parts(`name="a"` + "\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1"), faultMalformed},
		{"an extended name", multipartType, parts(`name="a"; name*=utf-8''b` + "\r\n\r\n1"), faultMalformed},
		{"64 KiB and a byte", urlencoded, "a=" + strings.Repeat("a", 64<<10-1), faultTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := keepForm(post(test.contentType, test.body), "/payouts", ourOrigins, noon)
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

func TestLargestFormIsKeptAndOpened(t *testing.T) {
	uri := "/" + strings.Repeat("u", 2047)
	form, err := keepForm(post(urlencoded+"; a="+strings.Repeat("a", 200), "a="+strings.Repeat("a", 64<<10-2)), uri, ourOrigins, noon)
	if err != nil {
		t.Fatal(err)
	}
	text, err := form.seal([32]byte{1}, formOwner{user: "1"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openForm([32]byte{1}, formOwner{user: "1"}, text, noon); err != nil {
		t.Error(err)
	}
	if len(text) > maxSealed {
		t.Errorf("%d bytes, more than maxSealed", len(text))
	}
}

// A form of another site that the page posted again would come from the application.
func TestOnlyFormsOfTheApplicationAreKept(t *testing.T) {
	for _, test := range []struct {
		site, origin string
		want         error
	}{
		{"same-origin", "https://app.example", nil},
		{"same-origin", "null", nil}, // Referrer-Policy: no-referrer
		{"same-site", "https://app.example", faultCrossSite},
		{"cross-site", "https://app.example", faultCrossSite},
		{"none", "https://app.example", faultCrossSite},
		{"", "https://app.example", nil},
		{"", "https://evil.example", faultCrossSite},
		{"", "null", faultCrossSite},
		{"", "", faultCrossSite},
	} {
		r := post(urlencoded, "a=1")
		r.Header.Set("Sec-Fetch-Site", test.site)
		r.Header.Set("Origin", test.origin)
		if _, err := keepForm(r, "/payouts", ourOrigins, noon); err != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestOnlyPostsAreKept(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		r := post(urlencoded, "a=1")
		r.Method = method
		if _, err := keepForm(r, "/payouts", ourOrigins, noon); !errors.Is(err, faultMethod) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestFormsArePostedHere(t *testing.T) {
	for _, uri := range []string{"//evil.example", "https://evil.example/", "", "/" + strings.Repeat("a", 2048)} {
		if _, err := keepForm(post(urlencoded, "a=1"), uri, ourOrigins, noon); !errors.Is(err, faultPath) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

// counter counts the bytes that were read of an endless body.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	c.n += len(p)
	return len(p), nil
}

func TestBodiesAreReadBounded(t *testing.T) {
	for _, test := range []struct {
		name          string
		atMost        int
		contentLength int64
	}{
		{name: "an endless body", contentLength: -1, atMost: 64<<10 + 1},
		{name: "a body that is announced as larger", contentLength: 1 << 30, atMost: 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := &counter{}
			r := post(urlencoded, "")
			r.Body, r.ContentLength = io.NopCloser(body), test.contentLength
			if _, err := readBody(r); !errors.Is(err, faultTooLarge) {
				t.Error(err)
			}
			if body.n > test.atMost {
				t.Errorf("%d bytes read", body.n)
			}
		})
	}
	refused := &counter{}
	r := post(urlencoded, "")
	r.Body, r.ContentLength = io.NopCloser(refused), -1
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if _, err := keepForm(r, "/payouts", ourOrigins, noon); !errors.Is(err, faultCrossSite) || refused.n > 0 {
		t.Errorf("%v after %d bytes", err, refused.n)
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   error
	}{
		{"a connection that breaks", func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }, faultReadError},
		{"a limit around us", func(r *http.Request) { r.Body = http.MaxBytesReader(nil, r.Body, 1) }, faultTooLarge},
		{"read by a middleware", func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, faultConsumed},
		{"parsed by a middleware", func(r *http.Request) { r.ContentLength = -1; _ = r.ParseForm() }, faultConsumed},
		{"given to a multipart reader", func(r *http.Request) {
			r.ContentLength = -1
			r.Header.Set("Content-Type", multipartType)
			_, _ = r.MultipartReader()
		}, faultConsumed},
		{"no body", func(r *http.Request) { r.Body, r.ContentLength = nil, 0 }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(urlencoded, "a=1")
			test.change(r)
			if _, err := readBody(r); err != test.want {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	// ParseForm does not read JSON.
	r := post("application/json", "{}")
	_ = r.ParseForm()
	if body, err := readBody(r); err != nil || string(body) != "{}" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestSealedFormsOpenForTheirOwner(t *testing.T) {
	key := [32]byte{1}
	owner := formOwner{realm: "app", user: "7", session: []byte("session hash")}
	form := keptForm{at: noon, uri: "/payouts?a=b", contentType: urlencoded, body: []byte("amount=5&to=Mira")}
	text, err := form.seal(key, owner, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := openForm(key, owner, text, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(form, got, cmp.AllowUnexported(keptForm{})); diff != "" {
		t.Error(diff)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || bytes.Contains(sealed, []byte("Mira")) || bytes.Contains(sealed, []byte("payouts")) {
		t.Errorf("%v: it is not encrypted", err)
	}
	again, err := form.seal(key, owner, rand.Reader)
	if err != nil || again == text {
		t.Errorf("%v: the nonce was used twice", err)
	}
	flipped := slices.Clone(sealed)
	flipped[20] ^= 1
	for _, test := range []struct {
		name  string
		key   [32]byte
		owner formOwner
		text  string
	}{
		{"another key", [32]byte{2}, owner, text},
		{"another realm", key, formOwner{"admin", owner.user, owner.session}, text},
		{"another user", key, formOwner{owner.realm, "8", owner.session}, text},
		{"another session", key, formOwner{owner.realm, owner.user, []byte("another hash")}, text},
		{"realm and user run together", key, formOwner{"app7", "", owner.session}, text},
		{"a flipped bit", key, owner, base64.RawURLEncoding.EncodeToString(flipped)},
		{"a shorter text", key, owner, text[:len(text)-4]},
		{"next to nothing", key, owner, "AAAA"},
		{"nothing", key, owner, ""},
		{"no base64", key, owner, "!" + text},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := openForm(test.key, test.owner, test.text, noon); !errors.Is(err, errFormSealed) {
				t.Error(err)
			}
		})
	}
}

func TestSealedFormsExpire(t *testing.T) {
	form := keptForm{at: noon, uri: "/", contentType: urlencoded}
	text, err := form.seal([32]byte{}, formOwner{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now  time.Time
		want error
	}{
		{noon, nil},
		{noon.Add(10 * time.Minute), nil},
		{noon.Add(10*time.Minute + time.Millisecond), errFormExpired},
		{noon.Add(-5 * time.Second), nil},
		{noon.Add(-5*time.Second - time.Millisecond), errFormExpired}, // the clock was set back
	} {
		if _, err := openForm([32]byte{}, formOwner{}, text, test.now); err != test.want {
			t.Errorf("%s: %v", test.now.Sub(noon), err)
		}
	}
}

func TestSealNeedsRandomness(t *testing.T) {
	if _, err := (keptForm{}).seal([32]byte{}, formOwner{}, strings.NewReader("too short")); err == nil {
		t.Error("sealed without a nonce")
	}
}

// Pairs are posted again with the bytes that they had.
func TestPairsAreWrittenAsTheyWere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		field := rapid.Custom(func(rt *rapid.T) formField {
			return formField{Name: "n" + rapid.String().Draw(rt, "name"), Value: rapid.String().Draw(rt, "value")}
		})
		fields := rapid.SliceOfN(field, 0, 5).Draw(rt, "fields")
		got, err := parsePairs(formatPairs(fields))
		if err != nil || !slices.Equal(got, fields) {
			rt.Fatalf("%v, %v", got, err)
		}
	})
}

func FuzzParseForm(f *testing.F) {
	f.Add(urlencoded, "a=1&b=%C3%A9")
	f.Add(multipartType, parts(`name="a"`+"\r\n\r\n1", `name="f"; filename=""`+"\r\n\r\n"))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		fields, err := parseForm(contentType, []byte(body))
		if err != nil {
			if fault := bodyFault(""); !errors.As(err, &fault) || fields != nil {
				t.Fatalf("%v, %v", fields, err)
			}
			return
		}
		// net/http reads the same values.
		r := post(contentType, body)
		if err := r.ParseMultipartForm(1 << 20); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			t.Fatal(err)
		}
		want := map[string][]string{}
		for _, field := range fields {
			if !field.File {
				want[field.Name] = append(want[field.Name], field.Value)
			}
		}
		for name, values := range want {
			if name != "" && !slices.Equal(r.PostForm[name], values) {
				t.Fatalf("%q: %q, net/http has %q", name, values, r.PostForm[name])
			}
		}
	})
}

// BenchmarkSealForm keeps the largest form, and opens it again.
func BenchmarkSealForm(b *testing.B) {
	form := keptForm{at: time.Now(), uri: "/payouts", contentType: urlencoded, body: bytes.Repeat([]byte("a"), maxBody)}
	owner, key := formOwner{realm: "app", user: "42", session: []byte("s")}, [32]byte{1}
	sealed, err := form.seal(key, owner, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := form.seal(key, owner, rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := openForm(key, owner, sealed, form.at); err != nil {
				b.Fatal(err)
			}
		}
	})
}
