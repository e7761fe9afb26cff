package sqlstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stepkey/stepkey/internal/rawsql"
)

// smallTables do not grow with users or traffic.
var smallTables = []string{"settings", "signing_keys", "schema_versions"}

// filledRows is how many rows every other table has in tests of plans. PostgreSQL reads smaller
// tables as a whole, whatever indexes they have.
const filledRows = 10_000

// fill gives every table that grows filledRows rows, one for each user. It reads from the catalogue
// which tables and columns there are, so that a new one is filled as well.
func fill(t *testing.T, d database) (tables []string) {
	t.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	columns := columnsOf(t, d, db)
	for table := range columns {
		if !slices.Contains(smallTables, table) {
			tables = append(tables, table)
		}
	}
	slices.SortFunc(tables, func(a, b string) int { return fillsBefore(a) - fillsBefore(b) })
	for _, table := range tables {
		var names, values []string
		for _, c := range columns[table] {
			names, values = append(names, c.name), append(values, c.value(d))
		}
		statement := fmt.Sprintf(`INSERT INTO %s (%s) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			SELECT %s FROM n`, table, strings.Join(names, ", "), filledRows, strings.Join(values, ", "))
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v\n%s", table, err, statement)
		}
	}
	return tables
}

// fillsBefore puts tables that others refer to first.
func fillsBefore(table string) int {
	switch table {
	case "users":
		return 0
	case "sessions":
		return 1
	default:
		return 2
	}
}

// column is a column of the catalogue.
type column struct {
	name, kind string
	optional   bool
}

func columnsOf(t *testing.T, d database, db *rawsql.DB) map[string][]column {
	t.Helper()
	query := `SELECT table_name, column_name, data_type, is_nullable = 'YES' FROM information_schema.columns
		WHERE table_schema = 'stepkey' ORDER BY table_name, ordinal_position`
	if d.isSQLite() {
		query = `SELECT substr(l.name, 9), c.name, c.type, NOT c."notnull" AND c.pk = 0
			FROM pragma_table_list l, pragma_table_info(l.name) c WHERE l.name LIKE 'stepkey\_%' ESCAPE '\'`
	}
	rows, err := db.DB.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns := make(map[string][]column)
	for rows.Next() {
		var table string
		var c column
		if err := rows.Scan(&table, &c.name, &c.kind, &c.optional); err != nil {
			t.Fatal(err)
		}
		columns[table] = append(columns[table], c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

// value returns the SQL of what row i has in the column. Most rows have nothing in an optional one.
func (c column) value(d database) string {
	switch c.name {
	case "realm":
		return `CASE WHEN i % 2 = 0 THEN 'app' ELSE '' END`
	case "external_key":
		return `CASE WHEN i % 2 = 0 THEN ` + c.required(d) + ` END`
	case "password_hash":
		return `'$argon2id$v=19$m=19456,t=2,p=1$' || i`
	case "refresh_mode":
		return `CASE WHEN i % 2 = 0 THEN 'cookie' ELSE '' END`
	}
	if c.name == "state" && strings.EqualFold(c.kind, "text") { // of a mail
		return `CASE i % 3 WHEN 0 THEN 'ready' WHEN 1 THEN 'later' ELSE 'sending' END`
	}
	if c.optional && c.name != "user_id" { // almost every mail has a user
		return `CASE WHEN i % 50 = 0 THEN ` + c.required(d) + ` END`
	}
	return c.required(d)
}

func (c column) required(d database) string {
	isID := c.name == "id" || c.name == "mark" || c.name == "aaguid" || strings.HasSuffix(c.name, "_id")
	switch kind := strings.ToLower(c.kind); {
	case kind == "uuid":
		return `CAST(lpad(to_hex(i), 32, '0') AS uuid)`
	case kind == "text" && isID && d.isSQLite():
		return `printf('00000000-0000-0000-0000-%012x', i)`
	case kind == "text":
		return `'` + c.name + ` ' || i`
	case kind == "bytea":
		return `decode(lpad(to_hex(i), 64, '0'), 'hex')`
	case kind == "blob":
		return `CAST(printf('%064x', i) AS BLOB)`
	case kind == "timestamp": // of SQLite
		return fmt.Sprintf(`%d + i * 60000000`, epoch.UnixMicro())
	case strings.HasPrefix(kind, "timestamp"):
		return fmt.Sprintf(`to_timestamp(%d) + i * INTERVAL '1 minute'`, epoch.Unix())
	case kind == "boolean":
		return `FALSE`
	default:
		return `i`
	}
}
