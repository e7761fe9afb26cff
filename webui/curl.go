package webui

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// secrets are the members of request bodies whose values belong to nobody's shell history, with the variables that examples read
// them from.
var secrets = map[string]string{
	"password": "$PASSWORD", "currentPassword": "$CURRENT_PASSWORD", "newPassword": "$NEW_PASSWORD",
	"token": "$LINK_TOKEN", "refreshToken": "$REFRESH_TOKEN", "invitation": "$INVITATION", "code": "$CODE",
}

// bearers are the variables for what a call is authorised with.
var bearers = map[string]string{"bearer": "$TOKEN", "introspectionSecret": "$INTROSPECTION_SECRET"}

// curl returns a command that makes the call. The shell fills in $STEPKEY, the address of the service, and all secrets.
func (d *apiDocument) curl(o operation) string {
	parts := []string{"curl"}
	hasBody := o.RequestBody.Required
	if o.method != "GET" && (!hasBody || o.method != "POST") {
		parts[0] += " -X " + o.method
	}
	parts[0] += ` "$STEPKEY` + d.address(o) + `"`
	for _, way := range o.Security {
		for name := range way {
			parts = append(parts, `-H "Authorization: Bearer `+bearers[name]+`"`)
		}
	}
	if hasBody {
		parts = append(parts, d.payload(o.RequestBody))
	}
	return strings.Join(parts, " \\\n  ")
}

// address is the path with variables for its parameters, and the query parameters that are required.
func (d *apiDocument) address(o operation) string {
	address, query := o.path, []string{}
	for _, p := range o.Parameters {
		name := "$" + variable(p.Name)
		if p.In == "path" {
			address = strings.ReplaceAll(address, "{"+p.Name+"}", name)
		} else if p.In == "query" && p.Required {
			query = append(query, p.Name+"="+name)
		}
	}
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	return address
}

// variable turns returnTo and return_to into RETURN_TO.
func variable(name string) string {
	var out strings.Builder
	for _, letter := range name {
		if unicode.IsUpper(letter) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToUpper(letter))
	}
	return out.String()
}

// payload is the option for a form, or for JSON in a here-document, in which the shell fills in variables.
func (d *apiDocument) payload(b body) string {
	s := d.resolve(b.schema())
	if b.Content[0].name == "application/json" {
		return "-H \"Content-Type: application/json\" -d @- <<END\n" + d.value("", s, "") + "\nEND"
	}
	var options []string
	for _, p := range d.shown(s) {
		options = append(options, fmt.Sprintf("--data-urlencode \"%s=$%s\"", p.name, variable(p.name)))
	}
	return strings.Join(options, " \\\n  ")
}

// shown are the members that an example has: those that are required, or the first.
func (d *apiDocument) shown(s *schema) []named[schema] {
	var shown []named[schema]
	for _, p := range s.Properties {
		if slices.Contains(s.Required, p.name) {
			shown = append(shown, p)
		}
	}
	if len(shown) == 0 && len(s.Properties) > 0 {
		return s.Properties[:1]
	}
	return shown
}

// value returns an example as JSON, the first of those in the document if it has any.
func (d *apiDocument) value(name string, s *schema, indentation string) string {
	if secret := secrets[name]; secret != "" {
		return `"` + secret + `"`
	}
	switch {
	case len(s.Const) > 0:
		return string(s.Const)
	case len(s.Examples) > 0:
		return string(s.Examples[0])
	case len(s.Enum) > 0:
		return string(s.Enum[0])
	case len(s.Properties) > 0:
		return d.objectValue(s, indentation)
	case s.Items != nil:
		return "[" + d.value("", d.resolve(s.Items), indentation) + "]"
	}
	switch strings.Join(s.Type, "") {
	case "boolean":
		return "true"
	case "integer", "number":
		return "1"
	case "object":
		return "{}"
	}
	return `"…"`
}

func (d *apiDocument) objectValue(s *schema, indentation string) string {
	inner := indentation + "  "
	var lines []string
	for _, p := range d.shown(s) {
		lines = append(lines, fmt.Sprintf("%s%q: %s", inner, p.name, d.value(p.name, d.resolve(&p.value), inner)))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n" + indentation + "}"
}
