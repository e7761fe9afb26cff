package stepup

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

// maxBody is the largest body that is read, in bytes: what a person types into a form.
const maxBody = 64 << 10

// bodyFault says why a request cannot be kept, or its action not be shown. It is fixed
// text for logs, without anything that the client sent.
type bodyFault string

// The faults.
const (
	faultMethod    bodyFault = "the request is not a POST"
	faultPath      bodyFault = "the URI is longer than 2 KiB or could lead to another origin"
	faultCrossSite bodyFault = "the form was sent by a page of another origin"
	faultType      bodyFault = "the content type cannot be read"
	faultCharset   bodyFault = "the text is not UTF-8"
	faultTooLarge  bodyFault = "the body is larger than 64 KiB"
	faultFiles     bodyFault = "the form has files"
	faultMalformed bodyFault = "the body is malformed, or not as browsers write it"
	faultReadError bodyFault = "the body cannot be read"
	faultConsumed  bodyFault = "the body was read before: mount the middleware outside of any that reads forms"
	faultRepeated  bodyFault = "a field of the action comes twice, or in two spellings"
	faultInQuery   bodyFault = "a field of the action is in the query: it belongs in the body"
	faultValue     bodyFault = "a field of the action is a file, a list or an object"
)

func isFault(err error) bool {
	var fault bodyFault
	return errors.As(err, &fault)
}

// Error returns the fault, for logs.
func (f bodyFault) Error() string { return "stepup: " + string(f) }

// readBody reads the body of r, never more than maxBody and one byte of it, and nothing
// of one that is announced as larger. The handler can read all of it once more.
func readBody(r *http.Request) ([]byte, error) {
	// ParseForm leaves an empty PostForm when the body is no form, and does not read it.
	if len(r.PostForm) > 0 || r.MultipartForm != nil {
		return nil, faultConsumed
	}
	if r.ContentLength > maxBody {
		return nil, faultTooLarge
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	r.Body = restoredBody{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit) || len(body) > maxBody:
		return nil, faultTooLarge
	case err != nil:
		return nil, faultReadError
	case r.ContentLength >= 0 && int64(len(body)) != r.ContentLength:
		// net/http gives all of a body or an error, so somebody has had the rest.
		return nil, faultConsumed
	}
	return body, nil
}

// restoredBody gives a body once more and closes the original.
type restoredBody struct {
	io.Reader
	io.Closer
}

// formField is one entry of a form's data set.
type formField struct {
	Name, Value string
	File        bool // an input of files; without one chosen, Value and filename are empty
	filename    string
}

// parseForm reads a body of one of the two types that forms have (HTML §4.10.22), in
// order. It refuses anything that another parser could read differently, so that the user
// is shown what the handler sees.
func parseForm(contentType string, body []byte) ([]formField, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, faultType
	}
	if charset := parameters["charset"]; charset != "" && !isUTF8Name(charset) {
		return nil, faultCharset
	}
	var fields []formField
	switch kind {
	case "application/x-www-form-urlencoded":
		fields, err = parsePairs(string(body))
	case "multipart/form-data":
		fields, err = parseParts(parameters["boundary"], body)
	default:
		return nil, faultType
	}
	if err != nil {
		return nil, err
	}
	for _, field := range fields {
		if !utf8.ValidString(field.Name) || !field.File && !utf8.ValidString(field.Value) {
			return nil, faultCharset
		}
		// Browsers fill a hidden field of this name in with the encoding of the page.
		if field.Name == "_charset_" && !field.File && !isUTF8Name(field.Value) {
			return nil, faultCharset
		}
	}
	return fields, nil
}

func isUTF8Name(charset string) bool {
	return strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// parsePairs reads application/x-www-form-urlencoded.
func parsePairs(body string) ([]formField, error) {
	if strings.ContainsFunc(body, notInPairs) {
		return nil, faultMalformed
	}
	var fields []formField
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, faultMalformed
		}
		fields = append(fields, formField{Name: name, Value: value})
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
func formatPairs(fields []formField) string {
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
func parseParts(boundary string, body []byte) ([]formField, error) {
	first, last := []byte("--"+boundary), []byte("--"+boundary+"--")
	if boundary == "" || !bytes.HasPrefix(body, first) || !bytes.HasSuffix(bytes.TrimRight(body, "\r\n"), last) {
		return nil, faultMalformed
	}
	var fields []formField
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		// NextPart would undo a transfer encoding.
		part, err := parts.NextRawPart()
		if err == io.EOF { // wrapped, it is a body that ends too early
			return fields, nil
		}
		if err != nil {
			return nil, faultMalformed
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, faultMalformed
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
func parsePart(header textproto.MIMEHeader, value string) (formField, error) {
	disposition := header["Content-Disposition"]
	if len(disposition) != 1 {
		return formField{}, faultMalformed
	}
	rest, ok := strings.CutPrefix(disposition[0], `form-data; name="`)
	name, rest, closed := strings.Cut(rest, `"`)
	if !ok || !closed || strings.Contains(name, `\`) {
		return formField{}, faultMalformed
	}
	if rest == "" && len(header) == 1 {
		return formField{Name: name, Value: value}, nil
	}
	filename, isFile := strings.CutPrefix(rest, "; filename=")
	if !isFile {
		return formField{}, faultMalformed
	}
	return formField{Name: name, Value: value, File: true, filename: strings.Trim(filename, `"`)}, nil
}
