package keptform

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest body that is read, in bytes: what a person types into a form.
const MaxBody = 64 << 10

// Fault says why a request cannot be kept, or its action not be shown. It is fixed
// text for logs, without anything that the client sent.
type Fault string

// The faults.
const (
	FaultMethod    Fault = "the request is not a POST"
	FaultPath      Fault = "the URI is longer than 2 KiB or could lead to another origin"
	FaultCrossSite Fault = "the form was sent by a page of another origin"
	FaultType      Fault = "the content type cannot be read"
	FaultCharset   Fault = "the text is not UTF-8"
	FaultTooLarge  Fault = "the body is larger than 64 KiB"
	FaultFiles     Fault = "the form has files"
	FaultMalformed Fault = "the body is malformed, or not as browsers write it"
	FaultReadError Fault = "the body cannot be read"
	FaultConsumed  Fault = "the body was read before: mount the middleware outside of any that reads forms"
	FaultRepeated  Fault = "a field of the action comes twice, or in two spellings"
	FaultInQuery   Fault = "a field of the action is in the query: it belongs in the body"
	FaultValue     Fault = "a field of the action is a file, a list or an object"
)

func IsFault(err error) bool {
	var fault Fault
	return errors.As(err, &fault)
}

// Error returns the fault, for logs.
func (f Fault) Error() string { return "keptform: " + string(f) }

// ReadBody reads the body of r, never more than MaxBody and one byte of it, and nothing
// of one that is announced as larger. The handler can read all of it once more.
func ReadBody(r *http.Request) ([]byte, error) {
	// ParseForm leaves an empty PostForm when the body is no form, and does not read it.
	if len(r.PostForm) > 0 || r.MultipartForm != nil {
		return nil, FaultConsumed
	}
	if r.ContentLength > MaxBody {
		return nil, FaultTooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	r.Body = restoredBody{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit) || len(body) > MaxBody:
		return nil, FaultTooLarge
	case err != nil:
		return nil, FaultReadError
	case r.ContentLength >= 0 && int64(len(body)) != r.ContentLength:
		// net/http gives all of a body or an error, so somebody has had the rest.
		return nil, FaultConsumed
	}
	return body, nil
}

// restoredBody gives a body once more and closes the original.
type restoredBody struct {
	io.Reader
	io.Closer
}

// Field is one entry of a form's data set.
type Field struct {
	Name, Value string
	File        bool // an input of files; without one chosen, Value and filename are empty
	filename    string
}

// ParseForm reads a body of one of the two types that forms have (HTML §4.10.22), in
// order. It refuses anything that another parser could read differently, so that the user
// is shown what the handler sees.
func ParseForm(contentType string, body []byte) ([]Field, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, FaultType
	}
	if charset := parameters["charset"]; charset != "" && !IsUTF8Name(charset) {
		return nil, FaultCharset
	}
	var fields []Field
	switch kind {
	case "application/x-www-form-urlencoded":
		fields, err = parsePairs(string(body))
	case "multipart/form-data":
		fields, err = parseParts(parameters["boundary"], body)
	default:
		return nil, FaultType
	}
	if err != nil {
		return nil, err
	}
	for _, field := range fields {
		if !utf8.ValidString(field.Name) || !field.File && !utf8.ValidString(field.Value) {
			return nil, FaultCharset
		}
		// Browsers fill a hidden field of this name in with the encoding of the page.
		if field.Name == "_charset_" && !field.File && !IsUTF8Name(field.Value) {
			return nil, FaultCharset
		}
	}
	return fields, nil
}

func IsUTF8Name(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// parsePairs reads application/x-www-form-urlencoded.
func parsePairs(body string) ([]Field, error) {
	if strings.ContainsFunc(body, notInPairs) {
		return nil, FaultMalformed
	}
	var fields []Field
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, FaultMalformed
		}
		fields = append(fields, Field{Name: name, Value: value})
	}
	return fields, nil
}

// notInPairs reports a byte that must be escaped in pairs. Braces and quotes are among
// them, so that no body is both pairs and JSON, for handlers that do not look at its
// type. A semicolon separates pairs for some parsers, and net/url drops its pair.
func notInPairs(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("%+&=*-._~!'(),:@/?$", c)
}

// formatPairs writes fields as browsers do (URL Standard, application/x-www-form-urlencoded).
func formatPairs(fields []Field) string {
	escape := strings.NewReplacer("~", "%7E", "%2A", "*")
	pairs := make([]string, len(fields))
	for i, field := range fields {
		pairs[i] = escape.Replace(url.QueryEscape(field.Name)) + "=" + escape.Replace(url.QueryEscape(field.Value))
	}
	return strings.Join(pairs, "&")
}

// parseParts reads multipart/form-data in the form that browsers give it. It has no
// text before the first boundary, which a handler could take for JSON, and ends with the
// last: the Reader takes some bodies without one for complete.
func parseParts(boundary string, body []byte) ([]Field, error) {
	first, last := []byte("--"+boundary), []byte("--"+boundary+"--")
	if boundary == "" || !bytes.HasPrefix(body, first) || !bytes.HasSuffix(bytes.TrimRight(body, "\r\n"), last) {
		return nil, FaultMalformed
	}
	var fields []Field
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		// NextPart would undo a transfer encoding.
		part, err := parts.NextRawPart()
		if err == io.EOF { // wrapped, it is a body that ends too early
			return fields, nil
		}
		if err != nil {
			return nil, FaultMalformed
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, FaultMalformed
		}
		field, err := parsePart(part.Header, string(value))
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
	}
}

// parsePart reads one part. Browsers write exactly form-data; name="…", with quotes and
// line breaks in the name percent-encoded, and add a file name and a type only for files.
// Backslashes are refused because some parsers, net/http's among them, take them for escapes.
func parsePart(header textproto.MIMEHeader, value string) (Field, error) {
	disposition := header["Content-Disposition"]
	if len(disposition) != 1 {
		return Field{}, FaultMalformed
	}
	rest, ok := strings.CutPrefix(disposition[0], `form-data; name="`)
	name, rest, closed := strings.Cut(rest, `"`)
	if !ok || !closed || strings.Contains(name, `\`) {
		return Field{}, FaultMalformed
	}
	if rest == "" && len(header) == 1 {
		return Field{Name: name, Value: value}, nil
	}
	filename, isFile := strings.CutPrefix(rest, "; filename=")
	if !isFile {
		return Field{}, FaultMalformed
	}
	return Field{Name: name, Value: value, File: true, filename: strings.Trim(filename, `"`)}, nil
}
