package httpapi

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stepkey/stepkey/internal/content"
)

// openAPIDocument describes everything that an api can serve. It is assembled by `make
// generate`.
//
//go:embed openapi.json
var openAPIDocument []byte

// description is the OpenAPI document of the operations that are served with these options. It is compact,
// and also stored compressed, because /docs loads it.
type description struct {
	root placed

	// elsewhere is the document for the last prefix requested. A handler usually has
	// one.
	elsewhere atomic.Pointer[placed]
}

// placed is the document for a handler mounted at a prefix.
type placed struct {
	content.Content
	prefix string
}

// describe returns a description that is made when it is first requested: few clients ask for it, and every start would wait
// for it. Making it panics if the embedded document is malformed, which the tests rule out.
func describe(served map[string]bool) *description {
	return &description{root: placed{Content: content.Later("application/json", func() []byte {
		text, err := onlyServed(openAPIDocument, served)
		if err != nil {
			panic(err)
		}
		return text
	})}}
}

// at returns the document for a handler that is mounted at a prefix, which is empty for the root.
func (d *description) at(prefix string) content.Content {
	if prefix == "" {
		return d.root.Content
	}
	if last := d.elsewhere.Load(); last != nil && last.prefix == prefix {
		return last.Content
	}
	document := content.New("application/json", []byte(withPrefix(string(d.root.Body()), prefix)))
	d.elsewhere.Store(&placed{document, prefix})
	return document
}

// withPrefix adds a prefix to the paths that clients follow or compare. The paths of operations are relative
// to the server.
func withPrefix(compact, prefix string) string {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(prefix), `\`, `\\`)
	return strings.NewReplacer(
		`"servers":[{"url":"/"}]`, `"servers":[{"url":"`+prefix+`"}]`,
		`"pattern":"^/docs#`, `"pattern":"^`+pattern+`/docs#`,
		`"type":"/docs#`, `"type":"`+prefix+`/docs#`,
		`"optionsEndpoint":"/`, `"optionsEndpoint":"`+prefix+`/`,
		`"const":"/`, `"const":"`+prefix+`/`,
		` /docs.`, ` `+prefix+`/docs.`,
	).Replace(compact)
}

// onlyServed returns the document, in compact form, without the operations that are not served. An operation is named by its
// method and its path, as in "GET /account".
func onlyServed(document []byte, served map[string]bool) ([]byte, error) {
	members, err := parseObject(document)
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		if m.name != "paths" {
			continue
		}
		if members[i].value, err = servedPaths(m.value, served); err != nil {
			return nil, err
		}
	}
	text := members.value("")
	err = text.Compact()
	return text, err
}

func servedPaths(text []byte, served map[string]bool) (jsontext.Value, error) {
	all, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	var left object
	for _, path := range all {
		operations, err := parseObject(path.value)
		if err != nil {
			return nil, err
		}
		var kept object
		for _, operation := range operations {
			if !isMethod(operation.name) || served[strings.ToUpper(operation.name)+" "+path.name] {
				kept = append(kept, operation)
			}
		}
		if slices.ContainsFunc(kept, func(m member) bool { return isMethod(m.name) }) {
			left = append(left, member{path.name, kept.value("")})
		}
	}
	return left.value(""), nil
}

// isMethod distinguishes the operations of a path from members that apply to
// all of them.
func isMethod(name string) bool {
	return slices.Contains([]string{"get", "post", "put", "patch", "delete"}, name)
}

// member is a name and a value, with the white space that the value was written with.
type member struct {
	name  string
	value jsontext.Value
}

// object is a JSON object whose members keep their order.
type object []member

func parseObject(text []byte) (object, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	var o object
	for decoder.PeekKind() != '}' {
		token, err := decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String() // the token is invalid after the next read
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, bytes.Clone(value)})
	}
	if _, err := decoder.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("httpapi: after the object: %w", err)
	}
	return o, nil
}

// value returns the object as JSON, for a place with this indentation.
func (o object) value(indentation string) jsontext.Value {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, "\n%s  %q: %s", indentation, m.name, m.value)
	}
	fmt.Fprintf(&text, "\n%s}", indentation)
	return text.Bytes()
}
