package webui

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// apiDocument has the members of an OpenAPI 3.1 document that the reference shows. Objects whose order matters to a reader keep it.
type apiDocument struct {
	Tags []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"tags"`
	Paths      ordered[ordered[jsontext.Value]] `json:"paths"`
	Components struct {
		Schemas         map[string]schema        `json:"schemas"`
		Responses       map[string]body          `json:"responses"`
		Examples        map[string]sample        `json:"examples"`
		SecuritySchemes map[string]securityShape `json:"securitySchemes"`
	} `json:"components"`
}

type securityShape struct {
	Description string `json:"description"`
}

// methods are the members of a path that are operations.
var methods = []string{"get", "post", "put", "patch", "delete"}

type operation struct {
	method, path string

	ID          string                `json:"operationId"`
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description"`
	Security    []map[string][]string `json:"security"`
	Parameters  []parameter           `json:"parameters"`
	RequestBody body                  `json:"requestBody"`
	Responses   ordered[body]         `json:"responses"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

// body is a request body or a response.
type body struct {
	Ref         string         `json:"$ref"`
	Required    bool           `json:"required"`
	Description string         `json:"description"`
	Content     ordered[media] `json:"content"`
}

type media struct {
	Schema   schema          `json:"schema"`
	Example  jsontext.Value  `json:"example"`
	Examples ordered[sample] `json:"examples"`
}

// sample is an example. Only the code of problems is read.
type sample struct {
	Ref   string         `json:"$ref"`
	Value jsontext.Value `json:"value"`
}

type schema struct {
	Ref         string           `json:"$ref"`
	Type        oneOrMore        `json:"type"`
	Format      string           `json:"format"`
	Description string           `json:"description"`
	Const       jsontext.Value   `json:"const"`
	Enum        []jsontext.Value `json:"enum"`
	Examples    []jsontext.Value `json:"examples"`
	Items       *schema          `json:"items"`
	AllOf       []schema         `json:"allOf"`
	Properties  ordered[schema]  `json:"properties"`
	Required    []string         `json:"required"`
}

// ordered is a JSON object whose members keep their order.
type ordered[T any] []named[T]

type named[T any] struct {
	name  string
	value T
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (o *ordered[T]) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if _, err := decoder.ReadToken(); err != nil {
		return err
	}
	for decoder.PeekKind() != '}' {
		var n named[T]
		if err := json.UnmarshalDecode(decoder, &n.name); err != nil {
			return err
		}
		if err := json.UnmarshalDecode(decoder, &n.value); err != nil {
			return err
		}
		*o = append(*o, n)
	}
	_, err := decoder.ReadToken()
	return err
}

// oneOrMore is a string or an array of strings.
type oneOrMore []string

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (o *oneOrMore) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	if decoder.PeekKind() == '[' {
		return json.UnmarshalDecode(decoder, (*[]string)(o))
	}
	*o = []string{""}
	return json.UnmarshalDecode(decoder, &(*o)[0])
}

func parseAPI(document []byte) (*apiDocument, error) {
	var d apiDocument
	err := json.Unmarshal(document, &d)
	return &d, err
}

// operation reads a member of a path. Parameters of the whole path come first.
func (d *apiDocument) operation(path string, entry named[jsontext.Value]) (operation, error) {
	o := operation{method: strings.ToUpper(entry.name), path: path}
	err := json.Unmarshal(entry.value, &o)
	for _, item := range d.Paths {
		if item.name != path {
			continue
		}
		for _, m := range item.value {
			if m.name == "parameters" && err == nil {
				var shared []parameter
				err = json.Unmarshal(m.value, &shared)
				o.Parameters = append(shared, o.Parameters...)
			}
		}
	}
	return o, err
}

// schema returns the one of the first media type, or nil.
func (b body) schema() *schema {
	if len(b.Content) == 0 {
		return nil
	}
	return &b.Content[0].value.Schema
}

// last is the name at the end of a local reference.
func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func (d *apiDocument) response(b body) body {
	if b.Ref == "" {
		return b
	}
	return d.Components.Responses[last(b.Ref)]
}

// code returns the code of a problem that is an example.
func (d *apiDocument) code(s sample) string {
	if s.Ref != "" {
		s = d.Components.Examples[last(s.Ref)]
	}
	return problemCode(s.Value)
}

func problemCode(value jsontext.Value) string {
	var problem struct {
		Code string `json:"code"`
	}
	if value.Kind() != '{' || json.Unmarshal(value, &problem) != nil {
		return ""
	}
	return problem.Code
}

// resolve follows a reference, where members beside it win, and folds the parts of allOf in.
func (d *apiDocument) resolve(s *schema) *schema {
	own := *s
	parts := own.AllOf
	if own.Ref != "" {
		parts = append([]schema{d.Components.Schemas[last(own.Ref)]}, parts...)
	}
	own.Ref, own.AllOf = "", nil
	for i := range parts {
		part := d.resolve(&parts[i])
		own.Properties = append(own.Properties, part.Properties...)
		own.Required = append(own.Required, part.Required...)
		own.adopt(part)
	}
	return &own
}

// adopt takes what is missing from a part.
func (s *schema) adopt(part *schema) {
	if len(s.Type) == 0 {
		s.Type = part.Type
	}
	if s.Format == "" {
		s.Format = part.Format
	}
	if s.Description == "" {
		s.Description = part.Description
	}
	if len(s.Const) == 0 {
		s.Const = part.Const
	}
	if len(s.Enum) == 0 {
		s.Enum = part.Enum
	}
	if len(s.Examples) == 0 {
		s.Examples = part.Examples
	}
	if s.Items == nil {
		s.Items = part.Items
	}
}
