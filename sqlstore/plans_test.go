package sqlstore_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stepkey/stepkey/internal/rawsql"
	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/storage"
	"github.com/stepkey/stepkey/storetest"
)

// allowedScan is a statement that may read a large table, or an index, from its beginning.
type allowedScan struct {
	part   string // of the statement
	table  string
	reason string
}

var allowedScans = []allowedScan{
	{
		`WITH next AS MATERIALIZED`, "outbox",
		"the mails that are ready, in the order of outbox_by_turn, until there are enough: mails that cannot be sent now are few between them",
	},
}

// sweptHere is how many rows a sweep deletes at once in these plans. Tables have 10 000 rows here, not
// millions, and for 500 of 10 000 rows PostgreSQL rightly reads the table once.
const sweptHere = `LIMIT 5 `

// Every statement that a store sends reads every table that grows by an index. The statements are
// those that the conformance suites send; a statement of the source that is not among them fails the
// test as well.
func TestStatementsReadIndexes(t *testing.T) {
	unsent := newUnsent(t)
	allowed := newAllowed()
	t.Run("on", func(t *testing.T) {
		onBoth(t, func(t *testing.T, empty func(*testing.T) database) {
			recording := record(t, empty)
			d := empty(t)
			store := open(t, d.url, nil)
			unsent.drop(func(text string) bool { return recording.Sent(store, text) })
			tables := fill(t, d)
			if d.isSQLite() { // autovacuum analyzes PostgreSQL's tables, and nothing SQLite's
				refuseScans(t, d, recording, tables, allowed)
			}
			exec(t, d, `ANALYZE`)
			refuseScans(t, d, recording, tables, allowed)
			unsent.tested()
		})
	})
	unsent.report(t)
	if unsent.databases == 2 {
		allowed.report(t)
	}
}

func refuseScans(t *testing.T, d database, recording *sqlstore.Recording, tables []string, allowed *allowedUses) {
	t.Helper()
	for _, statement := range recording.Statements() {
		smaller := strings.ReplaceAll(statement, `LIMIT 500 `, sweptHere)
		for _, scan := range scans(t, d, smaller, recording.Args(statement), tables) {
			if !allowed.use(statement, scan.table) {
				t.Errorf("%s is read as a whole by\n%s\n%s", scan.table, statement, scan.plan)
			}
		}
	}
}

// record runs the conformance suites.
func record(t *testing.T, empty func(*testing.T) database) *sqlstore.Recording {
	recording := new(sqlstore.Recording)
	shared := empty(t)
	watched := func(t *testing.T) (*sqlstore.Store, storetest.Time) {
		clock, d := storetest.NewClock(), shared
		if d.isSQLite() {
			d = empty(t)
		} else {
			exec(t, d, `DROP SCHEMA stepkey CASCADE`) // a database for each would take much longer
		}
		store := open(t, d.url, clock.Now)
		recording.Watch(store)
		return store, clock.Time()
	}
	t.Run("suites", func(t *testing.T) {
		storetest.TestStore(t, func(t *testing.T) storage.Store {
			store, _ := watched(t)
			return store
		})
		storetest.TestChallenges(t, func(t *testing.T) (storage.Challenges, storetest.Time) { return watched(t) })
		storetest.TestAccountChallenges(t, func(t *testing.T) (storetest.AccountStore, storetest.Time) { return watched(t) })
		storetest.TestLimiter(t, func(t *testing.T) (one, other storage.Limiter, _ storetest.Time) {
			store, time := watched(t)
			return store, store, time
		})
		store, _ := watched(t)
		sweepOnce(t, store)
		if _, err := store.UserByNameOrAddress(t.Context(), "mira", "mira@example.com"); !errors.Is(err, storage.ErrNotFound) {
			t.Error(err)
		}
	})
	return recording
}

// scan is a table that a plan reads as a whole.
type scan struct{ table, plan string }

func scans(t *testing.T, d database, statement string, args []any, tables []string) []scan {
	t.Helper()
	db, err := rawsql.Open(d.url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if d.isSQLite() {
		return scansOfSQLite(t, db.DB, statement, tables)
	}
	return scansOfPostgres(t, db.DB, statement, args, tables)
}

var parameter = regexp.MustCompile(`\$(\d+)`)

// parameters is how many parameters a statement has.
func parameters(statement string) (n int) {
	for _, match := range parameter.FindAllStringSubmatch(statement, -1) {
		i, _ := strconv.Atoi(match[1])
		n = max(n, i)
	}
	return n
}

var (
	sqliteScan  = regexp.MustCompile(`(?m)^SCAN (\w+)`)
	sqliteTable = regexp.MustCompile(`stepkey_(\w+)(?: AS)?(?: (\w+))?`)
)

// scansOfSQLite ignores the arguments, as SQLite does when it plans.
func scansOfSQLite(t *testing.T, db *sql.DB, statement string, tables []string) (found []scan) {
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+parameter.ReplaceAllString(statement, "?$1"),
		make([]any, parameters(statement))...)
	if err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	defer rows.Close()
	var plan string
	for rows.Next() {
		var line string
		if err := rows.Scan(new(any), new(any), new(any), &line); err != nil {
			t.Fatal(err)
		}
		plan += line + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string) // tables by their names in the plan
	for _, match := range sqliteTable.FindAllStringSubmatch(statement, -1) {
		names["stepkey_"+match[1]], names[match[2]] = match[1], match[1]
	}
	for _, match := range sqliteScan.FindAllStringSubmatch(plan, -1) {
		if table := names[match[1]]; slices.Contains(tables, table) {
			found = append(found, scan{table, plan})
		}
	}
	return found
}

// postgresPlan is a node of a plan.
type postgresPlan struct {
	Kind     string         `json:"Node Type"`
	Table    string         `json:"Relation Name"`
	Index    string         `json:"Index Name"`
	Cond     string         `json:"Index Cond"`
	Cost     float64        `json:"Total Cost"`
	Children []postgresPlan `json:"Plans"`
}

// scanned returns the tables that are read without a condition on an index.
func (p postgresPlan) scanned() (tables []string) {
	whole := p.Kind == "Seq Scan" || strings.HasPrefix(p.Kind, "Index ") && p.Cond == ""
	if whole {
		tables = append(tables, p.Table)
	}
	for _, child := range p.Children {
		tables = append(tables, child.scanned()...)
	}
	return tables
}

// scansOfPostgres looks at the plan for the arguments, and at the one for any arguments if PostgreSQL would
// come to use that. https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES
func scansOfPostgres(t *testing.T, db *sql.DB, statement string, args []any, tables []string) (found []scan) {
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	plan, text := explained(t, conn, statement, args...)
	for _, table := range plan.scanned() {
		found = append(found, scan{table, text})
	}
	if len(args) > 0 {
		for _, s := range []string{`SET plan_cache_mode = force_generic_plan`, `PREPARE any_arguments AS ` + statement} {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%v\n%s", err, s)
			}
		}
		nulls := strings.TrimPrefix(strings.Repeat(`, NULL`, len(args)), `, `)
		forAny, text := explained(t, conn, `EXECUTE any_arguments (`+nulls+`)`)
		if forAny.Cost < plan.Cost+planning {
			for _, table := range forAny.scanned() {
				found = append(found, scan{table, text})
			}
		}
	}
	return slices.DeleteFunc(found, func(s scan) bool { return !slices.Contains(tables, s.table) })
}

// planning is more than the cost that PostgreSQL assumes for planning a statement of ours.
const planning = 50

func explained(t *testing.T, conn *sql.Conn, statement string, args ...any) (plan postgresPlan, text string) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), `EXPLAIN (FORMAT JSON) `+statement, args...).Scan(&text); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
	var plans []struct{ Plan postgresPlan }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan, text
}

// allowedUses knows which of allowedScans are needed.
type allowedUses struct {
	mu   sync.Mutex
	used map[allowedScan]bool
}

func newAllowed() *allowedUses { return &allowedUses{used: make(map[allowedScan]bool)} }

func (a *allowedUses) use(statement, table string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, allowed := range allowedScans {
		if allowed.table == table && strings.Contains(statement, allowed.part) {
			a.used[allowed] = true
			return true
		}
	}
	return false
}

func (a *allowedUses) report(t *testing.T) {
	for _, allowed := range allowedScans {
		if !a.used[allowed] {
			t.Errorf("nothing needs %q", allowed)
		}
	}
}

// unsent are the texts of statements in the source of this package that no test has sent.
type unsent struct {
	mu        sync.Mutex
	texts     map[string]token.Position
	databases int // that were tested
}

var namesTable = regexp.MustCompile(`\{\w+\}`)

// newUnsent reads the source. Migrations run once, on tables as they come.
func newUnsent(t *testing.T) *unsent {
	u := &unsent{texts: make(map[string]token.Position)}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := file.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "migrate.go" || name == "goose.go" {
			continue
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(syntax, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			if text, err := strconv.Unquote(literal.Value); err == nil && namesTable.MatchString(text) {
				u.texts[text] = set.Position(literal.Pos())
			}
			return true
		})
	}
	return u
}

// drop drops texts that were sent.
func (u *unsent) drop(sent func(text string) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for text := range u.texts {
		if sent(text) {
			delete(u.texts, text)
		}
	}
}

// tested counts a database.
func (u *unsent) tested() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.databases++
}

func (u *unsent) report(t *testing.T) {
	if u.databases < 2 {
		return // some statements are for one database alone
	}
	for text, position := range u.texts {
		t.Errorf("%s: no conformance suite sends\n%s", position, text)
	}
}
