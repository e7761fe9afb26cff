package stepup

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stepkey/stepkey/internal/keptform"
)

// maxActionFields is the most fields that an action may show: a person has to read them.
const maxActionFields = 16

// valueKind tells apart values that look alike, such as the number 1 and the text "1".
type valueKind byte

const (
	absentValue valueKind = iota // the body does not have the field
	textValue
	numberValue
	booleanValue
	nullValue
)

// actionField is one field of an action, as it is shown to the user.
type actionField struct {
	Name, Value string
	Kind        valueKind
}

// action is what a request is about to do: what the user is shown before verifying, and
// the digest that the same request has afterwards.
type action struct {
	fields []actionField // as RequireAction names them
	digest [sha256.Size]byte
}

// checkActionFields returns an error for names that RequireAction cannot take.
func checkActionFields(names []string) error {
	if len(names) > maxActionFields {
		return fmt.Errorf("stepup: an action has %d fields, at most %d can be shown", len(names), maxActionFields)
	}
	for i, name := range names {
		if !isLabel(name) {
			return fmt.Errorf("stepup: %q is not the name of a field: use 1 to %d bytes of UTF-8", name, maxLabelLen)
		}
		if slices.ContainsFunc(names[:i], func(other string) bool { return foldName(other) == foldName(name) }) {
			return fmt.Errorf("stepup: the field %q is named twice, or twice but for case, '-' and '_'", name)
		}
	}
	return nil
}

// readAction reads the named fields from the body of r, which has at most 64 KiB, and
// puts the body back for the handler. The digest covers the purpose, the method, the uri
// (path and query) and the fields with their values. It returns a keptform.Fault for a request
// that the handler could read otherwise than the user is shown: a name that comes twice,
// also in another spelling or in the query, and values that are lists, objects or files.
func readAction(r *http.Request, purpose, uri string, names []string) (action, error) {
	fields := make([]actionField, len(names))
	for i, name := range names {
		fields[i].Name = name
	}
	if len(names) > 0 {
		if err := fillFields(r, fields); err != nil {
			return action{}, err
		}
	}
	return action{fields: fields, digest: digestOf(purpose, r.Method, uri, fields)}, nil
}

func fillFields(r *http.Request, fields []actionField) error {
	if err := checkQuery(r.URL.RawQuery, fields); err != nil {
		return err
	}
	body, err := keptform.ReadBody(r)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	contentType := r.Header.Get("Content-Type")
	if isJSON(contentType) {
		return fillFromJSON(body, fields)
	}
	return fillFromForm(contentType, body, fields)
}

// checkQuery refuses fields in the query: Request.FormValue looks there as well.
func checkQuery(query string, fields []actionField) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return keptform.FaultMalformed
	}
	for name := range values {
		if slices.ContainsFunc(fields, func(f actionField) bool { return foldName(f.Name) == foldName(name) }) {
			return keptform.FaultInQuery
		}
	}
	return nil
}

func fillFromForm(contentType string, body []byte, fields []actionField) error {
	entries, err := keptform.ParseForm(contentType, body)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		field, err := find(fields, entry.Name)
		if err != nil {
			return err
		}
		if field == nil {
			continue
		}
		if entry.File {
			return keptform.FaultValue
		}
		if err := field.set(textValue, entry.Value); err != nil {
			return err
		}
	}
	return nil
}

// isJSON reports whether a body of this type is JSON in UTF-8.
func isJSON(contentType string) bool {
	kind, parameters, err := mime.ParseMediaType(contentType)
	charset := parameters["charset"]
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) && (charset == "" || keptform.IsUTF8Name(charset))
}

// fillFromJSON reads the members of one object.
func fillFromJSON(body []byte, fields []actionField) error {
	if !utf8.Valid(body) {
		return keptform.FaultCharset
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return keptform.FaultMalformed
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return keptform.FaultMalformed
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return keptform.FaultMalformed
		}
		// Names of members are strings, or Token would have failed.
		if err := setMember(fields, name.(string), value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return keptform.FaultMalformed
	}
	if _, err := decoder.Token(); err != io.EOF {
		return keptform.FaultMalformed
	}
	return nil
}

func setMember(fields []actionField, name string, value json.RawMessage) error {
	field, err := find(fields, name)
	if field == nil || err != nil {
		return err
	}
	switch value[0] {
	case '{', '[':
		return keptform.FaultValue
	case '"':
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return keptform.FaultMalformed
		}
		return field.set(textValue, text)
	case 't', 'f':
		return field.set(booleanValue, string(value))
	case 'n':
		return field.set(nullValue, "")
	}
	return field.set(numberValue, string(value))
}

// find returns the field of this name, or nil. A name that differs from a field's only in
// case, '-' or '_' is refused: encoding/json and gorilla/schema take Amount for amount,
// and encoding/json lets the last one win.
func find(fields []actionField, name string) (*actionField, error) {
	i := slices.IndexFunc(fields, func(f actionField) bool { return foldName(f.Name) == foldName(name) })
	if i < 0 {
		return nil, nil
	}
	if fields[i].Name != name {
		return nil, keptform.FaultRepeated
	}
	return &fields[i], nil
}

// foldName maps names that a library may take for each other to one.
func foldName(name string) string {
	name = strings.NewReplacer("-", "", "_", "").Replace(name)
	// ToUpper turns the long s (U+017F) into S, ToLower the Kelvin sign (U+212A) into k.
	return strings.ToLower(strings.ToUpper(name))
}

// set gives the field its one value.
func (f *actionField) set(kind valueKind, value string) error {
	if f.Kind != absentValue {
		return keptform.FaultRepeated
	}
	f.Kind, f.Value = kind, value
	return nil
}

// digestOf hashes an action in one encoding: each text after its length, fields in the
// order of their names, with the kinds of their values.
func digestOf(purpose, method, uri string, fields []actionField) [sha256.Size]byte {
	fields = slices.SortedFunc(slices.Values(fields), func(a, b actionField) int { return strings.Compare(a.Name, b.Name) })
	text := keptform.AppendText(nil, "stepup action 1")
	for _, part := range []string{purpose, method, uri} {
		text = keptform.AppendText(text, part)
	}
	for _, field := range fields {
		text = keptform.AppendText(text, field.Name)
		text = append(text, byte(field.Kind))
		text = keptform.AppendText(text, field.Value)
	}
	return sha256.Sum256(text)
}
