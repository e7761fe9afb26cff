package keptform

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

// noon is when forms are kept.
var noon = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

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
		want                    []Field
	}{
		{"repeated, empty, line breaks", urlencoded, "b=2&a=&b=1&memo=one%0D%0Atwo&c=%C3%A9+%2B", []Field{
			{Name: "b", Value: "2"}, {Name: "a"}, {Name: "b", Value: "1"}, {Name: "memo", Value: "one\r\ntwo"}, {Name: "c", Value: "é +"},
		}},
		{"names that a form has itself", urlencoded, "submit=1&action=%2Fevil&method=get&__proto__=x&elements=", []Field{
			{Name: "submit", Value: "1"}, {Name: "action", Value: "/evil"}, {Name: "method", Value: "get"}, {Name: "__proto__", Value: "x"}, {Name: "elements"},
		}},
		{"what browsers leave and escape", urlencoded, "a*-._=%7E", []Field{{Name: "a*-._", Value: "~"}}},
		{"no fields", urlencoded, "", nil},
		{"with a charset", urlencoded + "; charset=UTF-8", "a=1", []Field{{Name: "a", Value: "1"}}},
		{"a page in UTF-8", urlencoded, "_charset_=UTF-8&a=1", []Field{{Name: "_charset_", Value: "UTF-8"}, {Name: "a", Value: "1"}}},
		{"multipart", multipartType, parts(`name="b"`+"\r\n\r\n2", `name="a"`+"\r\n\r\n", `name="b"`+"\r\n\r\none\r\ntwo", `name="a%22b"`+"\r\n\r\né"), []Field{
			{Name: "b", Value: "2"}, {Name: "a"}, {Name: "b", Value: "one\r\ntwo"}, {Name: "a%22b", Value: "é"},
		}},
		{"no file chosen", multipartType, parts(`name="photo"; filename=""`+"\r\nContent-Type: application/octet-stream\r\n\r\n", `name="a"`+"\r\n\r\n1"), []Field{
			{Name: "photo", File: true}, {Name: "a", Value: "1"},
		}},
		{"multipart without fields", multipartType, parts(), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			form, err := Keep(post(test.contentType, test.body), "/payouts", ourOrigins, noon)
			if err != nil {
				t.Fatal(err)
			}
			got, err := form.Fields()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreUnexported(Field{})); diff != "" {
				t.Error(diff)
			}
			if form.IsMultipart() != strings.HasPrefix(test.contentType, "multipart") {
				t.Error("the other encoding")
			}
		})
	}
}

func TestFormsThatAreNotKept(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		want                    Fault
	}{
		{"text", "text/plain", "a=1", FaultType},
		{"JSON", "application/json", "{}", FaultType},
		{"no type", "", "a=1", FaultType},
		{"a type that is none", "/;", "a=1", FaultType},
		{"a long type", urlencoded + "; a=" + strings.Repeat("a", 300), "a=1", FaultType},
		{"another charset", urlencoded + "; charset=windows-1252", "a=1", FaultCharset},
		{"a page in another encoding", urlencoded, "_charset_=windows-1252&a=1", FaultCharset},
		{"a value in another encoding", urlencoded, "a=%E9", FaultCharset},
		{"a name in another encoding", urlencoded, "%E9=a", FaultCharset},
		{"a part in another encoding", multipartType, parts(`name="a"` + "\r\n\r\n\xe9"), FaultCharset},
		{"a bad escape", urlencoded, "a=%zz", FaultMalformed},
		{"a bad escape in a name", urlencoded, "%zz=a", FaultMalformed},
		{"semicolons", urlencoded, "a=1;b=2", FaultMalformed},
		{"no equals sign", urlencoded, "a", FaultMalformed},
		{"an empty pair", urlencoded, "a=1&&b=2", FaultMalformed},
		{"escapes in lower case", urlencoded, "a=%c3%a9", FaultMalformed},
		{"no name", urlencoded, "=1", FaultMalformed},
		{"a file", multipartType, parts(`name="f"; filename="a.txt"` + "\r\nContent-Type: text/plain\r\n\r\nhello"), FaultFiles},
		{"an empty file", multipartType, parts(`name="f"; filename="a.txt"` + "\r\nContent-Type: text/plain\r\n\r\n"), FaultFiles},
		{"a file without a name", multipartType, parts(`name="f"; filename=""` + "\r\nContent-Type: text/plain\r\n\r\nhello"), FaultFiles},
		{"a part without an end", multipartType, "------WebKitFormBoundaryAbc\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1", FaultMalformed},
		{"no last boundary", multipartType, "------WebKitFormBoundaryAbc\r\n", FaultMalformed},
		{"no boundary", "multipart/form-data", parts(), FaultMalformed},
		{"another boundary", "multipart/form-data; boundary=b", parts(), FaultMalformed},
		{"text before the parts", multipartType, "{}\r\n" + parts(`name="a"`+"\r\n\r\n1"), FaultMalformed},
		{"a part without a name", multipartType, parts("\r\n\r\n1"), FaultMalformed},
		{"a name without an end", multipartType, parts(`name="a` + "\r\n\r\n1"), FaultMalformed},
		{"a backslash in a name", multipartType, parts(`name="a\(b"` + "\r\n\r\n1"), FaultMalformed},
		{"a transfer encoding", multipartType, parts(`name="a"` + "\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=31"), FaultMalformed},
		{"two dispositions", multipartType, parts(`name="a"` + "\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1"), FaultMalformed},
		{"an extended name", multipartType, parts(`name="a"; name*=utf-8''b` + "\r\n\r\n1"), FaultMalformed},
		{"64 KiB and a byte", urlencoded, "a=" + strings.Repeat("a", 64<<10-1), FaultTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Keep(post(test.contentType, test.body), "/payouts", ourOrigins, noon)
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
}

func TestLargestFormIsKeptAndOpened(t *testing.T) {
	uri := "/" + strings.Repeat("u", 2047)
	form, err := Keep(post(urlencoded+"; a="+strings.Repeat("a", 200), "a="+strings.Repeat("a", 64<<10-2)), uri, ourOrigins, noon)
	if err != nil {
		t.Fatal(err)
	}
	text, err := form.Seal([32]byte{1}, Owner{User: "1"}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open([32]byte{1}, Owner{User: "1"}, text, noon); err != nil {
		t.Error(err)
	}
	if len(text) > MaxSealed {
		t.Errorf("%d bytes, more than MaxSealed", len(text))
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
		{"same-site", "https://app.example", FaultCrossSite},
		{"cross-site", "https://app.example", FaultCrossSite},
		{"none", "https://app.example", FaultCrossSite},
		{"", "https://app.example", nil},
		{"", "https://evil.example", FaultCrossSite},
		{"", "null", FaultCrossSite},
		{"", "", FaultCrossSite},
	} {
		r := post(urlencoded, "a=1")
		r.Header.Set("Sec-Fetch-Site", test.site)
		r.Header.Set("Origin", test.origin)
		if _, err := Keep(r, "/payouts", ourOrigins, noon); err != test.want {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestOnlyPostsAreKept(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		r := post(urlencoded, "a=1")
		r.Method = method
		if _, err := Keep(r, "/payouts", ourOrigins, noon); !errors.Is(err, FaultMethod) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func TestFormsArePostedHere(t *testing.T) {
	for _, uri := range []string{"//evil.example", "https://evil.example/", "", "/" + strings.Repeat("a", 2048)} {
		if _, err := Keep(post(urlencoded, "a=1"), uri, ourOrigins, noon); !errors.Is(err, FaultPath) {
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
			if _, err := ReadBody(r); !errors.Is(err, FaultTooLarge) {
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
	if _, err := Keep(r, "/payouts", ourOrigins, noon); !errors.Is(err, FaultCrossSite) || refused.n > 0 {
		t.Errorf("%v after %d bytes", err, refused.n)
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   error
	}{
		{"a connection that breaks", func(r *http.Request) { r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF)) }, FaultReadError},
		{"a limit around us", func(r *http.Request) { r.Body = http.MaxBytesReader(nil, r.Body, 1) }, FaultTooLarge},
		{"read by a middleware", func(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, FaultConsumed},
		{"parsed by a middleware", func(r *http.Request) { r.ContentLength = -1; _ = r.ParseForm() }, FaultConsumed},
		{"given to a multipart reader", func(r *http.Request) {
			r.ContentLength = -1
			r.Header.Set("Content-Type", multipartType)
			_, _ = r.MultipartReader()
		}, FaultConsumed},
		{"no body", func(r *http.Request) { r.Body, r.ContentLength = nil, 0 }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(urlencoded, "a=1")
			test.change(r)
			if _, err := ReadBody(r); err != test.want {
				t.Errorf("%v, want %v", err, test.want)
			}
		})
	}
	// ParseForm does not read JSON.
	r := post("application/json", "{}")
	_ = r.ParseForm()
	if body, err := ReadBody(r); err != nil || string(body) != "{}" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestSealedFormsOpenForTheirOwner(t *testing.T) {
	key := [32]byte{1}
	owner := Owner{Realm: "app", User: "7", Session: []byte("session hash")}
	form := Form{At: noon, URI: "/payouts?a=b", ContentType: urlencoded, Body: []byte("amount=5&to=Mira")}
	text, err := form.Seal(key, owner, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Open(key, owner, text, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(form, got, cmp.AllowUnexported(Form{})); diff != "" {
		t.Error(diff)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || bytes.Contains(sealed, []byte("Mira")) || bytes.Contains(sealed, []byte("payouts")) {
		t.Errorf("%v: it is not encrypted", err)
	}
	again, err := form.Seal(key, owner, rand.Reader)
	if err != nil || again == text {
		t.Errorf("%v: the nonce was used twice", err)
	}
	flipped := slices.Clone(sealed)
	flipped[20] ^= 1
	for _, test := range []struct {
		name  string
		key   [32]byte
		owner Owner
		text  string
	}{
		{"another key", [32]byte{2}, owner, text},
		{"another realm", key, Owner{"admin", owner.User, owner.Session}, text},
		{"another user", key, Owner{owner.Realm, "8", owner.Session}, text},
		{"another session", key, Owner{owner.Realm, owner.User, []byte("another hash")}, text},
		{"realm and user run together", key, Owner{"app7", "", owner.Session}, text},
		{"a flipped bit", key, owner, base64.RawURLEncoding.EncodeToString(flipped)},
		{"a shorter text", key, owner, text[:len(text)-4]},
		{"next to nothing", key, owner, "AAAA"},
		{"nothing", key, owner, ""},
		{"no base64", key, owner, "!" + text},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Open(test.key, test.owner, test.text, noon); !errors.Is(err, ErrSealed) {
				t.Error(err)
			}
		})
	}
}

func TestSealedFormsExpire(t *testing.T) {
	form := Form{At: noon, URI: "/", ContentType: urlencoded}
	text, err := form.Seal([32]byte{}, Owner{}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now  time.Time
		want error
	}{
		{noon, nil},
		{noon.Add(10 * time.Minute), nil},
		{noon.Add(10*time.Minute + time.Millisecond), ErrExpired},
		{noon.Add(-5 * time.Second), nil},
		{noon.Add(-5*time.Second - time.Millisecond), ErrExpired}, // the clock was set back
	} {
		if _, err := Open([32]byte{}, Owner{}, text, test.now); err != test.want {
			t.Errorf("%s: %v", test.now.Sub(noon), err)
		}
	}
}

func TestSealNeedsRandomness(t *testing.T) {
	if _, err := (Form{}).Seal([32]byte{}, Owner{}, strings.NewReader("too short")); err == nil {
		t.Error("sealed without a nonce")
	}
}

// Pairs are posted again with the bytes that they had.
func TestPairsAreWrittenAsTheyWere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		field := rapid.Custom(func(rt *rapid.T) Field {
			return Field{Name: "n" + rapid.String().Draw(rt, "name"), Value: rapid.String().Draw(rt, "value")}
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
		fields, err := ParseForm(contentType, []byte(body))
		if err != nil {
			if fault := Fault(""); !errors.As(err, &fault) || fields != nil {
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
	form := Form{At: time.Now(), URI: "/payouts", ContentType: urlencoded, Body: bytes.Repeat([]byte("a"), MaxBody)}
	owner, key := Owner{Realm: "app", User: "42", Session: []byte("s")}, [32]byte{1}
	sealed, err := form.Seal(key, owner, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := form.Seal(key, owner, rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := Open(key, owner, sealed, form.At); err != nil {
				b.Fatal(err)
			}
		}
	})
}
