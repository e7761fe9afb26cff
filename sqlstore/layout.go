package sqlstore

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

// layout says where the tables of a Store are: in a schema, with a common name prefix.
// Statements have table names in braces, such as {users}, which are replaced when they
// run.
type layout struct {
	schema   string
	prefix   string // of the names of tables and, in SQLite, of indexes
	replacer *strings.Replacer

	// completed has each statement that was completed. They are a few hundred, because arguments
	// are never part of a statement.
	completed *sync.Map
}

func layoutIn(schema string, d engine.Dialect) layout {
	l := layout{schema: schema, completed: &sync.Map{}}
	before := quoted(schema) + "."
	if d.Prefixed {
		before = schema + "_"
		l.schema, l.prefix = "main", before
	}
	l.replacer = strings.NewReplacer("{", before, "}", "")
	return l
}

// complete replaces the table names in braces with qualified names. Our statements use
// braces for nothing else.
func (l layout) complete(statement string) string {
	if done, ok := l.completed.Load(statement); ok {
		return done.(string)
	}
	done := l.replacer.Replace(statement)
	l.completed.Store(statement, done)
	return done
}

// table returns the qualified name of a table. The table need not be one of
// ours.
func (l layout) table(name string) string { return quoted(l.schema) + "." + quoted(l.prefix+name) }

func (l layout) sameAs(other layout) bool {
	return l.schema == other.schema && l.prefix == other.prefix
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// maxSchema is the maximum length of a name in PostgreSQL, in bytes.
const maxSchema = 63

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// checkSchema refuses names that operators would have to quote, that PostgreSQL would
// truncate, and that belong to the databases themselves.
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
