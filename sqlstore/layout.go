package sqlstore

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// layout is where the tables of a Store are: in a schema, with names that begin alike.
// Statements name tables in braces, {users}, and are completed when they run.
type layout struct {
	schema   string
	prefix   string // of the names of tables and, in SQLite, of indexes
	replacer *strings.Replacer
}

func layoutIn(schema string, d engine.Dialect) layout {
	if d.Prefixed {
		prefix := schema + "_"
		return layout{schema: "main", prefix: prefix, replacer: strings.NewReplacer("{", prefix, "}", "")}
	}
	return layout{schema: schema, replacer: strings.NewReplacer("{", quoted(schema)+".", "}", "")}
}

// complete puts the names of tables, in their schema, in place of those in braces. Braces
// mean nothing else in our statements.
func (l layout) complete(statement string) string { return l.replacer.Replace(statement) }

// table is the full name of a table, also of one that another layout has.
func (l layout) table(name string) string { return quoted(l.schema) + "." + quoted(l.prefix+name) }

func (l layout) sameAs(other layout) bool {
	return l.schema == other.schema && l.prefix == other.prefix
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// maxSchema is how many bytes of a name PostgreSQL keeps.
const maxSchema = 63

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// checkSchema refuses names that would have to be quoted when an operator types them, that
// PostgreSQL would cut, and that belong to the databases themselves.
func checkSchema(schema string) error {
	problem := ""
	switch {
	case !schemaForm.MatchString(schema):
		problem = "use lower-case letters, digits and underscores, with no digit first"
	case len(schema) > maxSchema:
		problem = fmt.Sprintf("use at most %d characters", maxSchema)
	case strings.HasPrefix(schema, "pg_"), schema == "information_schema", schema == "sqlite", strings.HasPrefix(schema, "sqlite_"):
		problem = "the name belongs to the database itself, use another one"
	default:
		return nil
	}
	return fmt.Errorf("sqlstore: Options.Schema is %.80q: %s", schema, problem)
}
