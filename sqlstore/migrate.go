package sqlstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/stepkey/stepkey/sqlstore/internal/engine"
)

//go:embed migrations/*.sql
var migrations embed.FS

// step is a migration. Running it brings the database to its version.
type step struct {
	version int
	text    string
}

// migrate migrates the schema to the newest version, in one transaction under a lock: one
// instance does it while the others wait, and if it fails nothing changes.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := s.steps()
	if err != nil {
		return err
	}
	t, err := s.begin(ctx, s.write)
	if err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", s.translate(err))
	}
	if err := t.migrate(ctx, steps); err != nil {
		return errors.Join(fmt.Errorf("sqlstore: migrate: %w", s.translate(s.db.Explain(err))), t.Rollback())
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", s.translate(err))
	}
	return nil
}

func (t *tx) migrate(ctx context.Context, steps []step) error {
	if t.dialect.MigrationLock != "" {
		if _, err := t.ExecContext(ctx, t.dialect.MigrationLock); err != nil {
			return err
		}
	}
	version, err := t.version(ctx, steps)
	if err != nil {
		return err
	}
	if newest := steps[len(steps)-1].version; version > newest {
		return fmt.Errorf("a newer version of Stepkey has upgraded the database (to schema version %d; "+
			"this program knows %d): start that version or a later one, "+
			"or restore a backup from before the upgrade", version, newest)
	}
	for _, step := range steps {
		if step.version <= version {
			continue
		}
		if _, err := t.ExecContext(ctx, step.text); err != nil {
			return fmt.Errorf("schema version %d: %w", step.version, err)
		}
		if err := t.recordVersion(ctx, step.version); err != nil {
			return err
		}
	}
	return nil
}

// version returns the version of the database. It first creates the schema and the table of
// versions, and moves tables that an earlier version of Stepkey kept elsewhere.
func (t *tx) version(ctx context.Context, steps []step) (version int, err error) {
	present, err := t.list(ctx, t.dialect.Tables, t.layout.schema)
	if err != nil {
		return 0, err
	}
	if present[t.layout.prefix+"schema_versions"] {
		err := t.QueryRowContext(ctx, `SELECT COALESCE(max(version), 0) FROM {schema_versions}`).Scan(&version)
		return version, err
	}
	old, err := t.findGooseLayout(ctx, steps)
	if err != nil {
		return 0, err
	}
	if old == nil || !t.layout.sameAs(old.layout) {
		if err := t.refuseOccupied(present, steps); err != nil {
			return 0, err
		}
	}
	if err := t.createSchema(ctx); err != nil {
		return 0, err
	}
	if old == nil {
		return 0, nil
	}
	return old.version, t.moveGooseLayout(ctx, old)
}

// refuseOccupied fails if another program has a table with the name of one of
// Stepkey's.
func (t *tx) refuseOccupied(present map[string]bool, steps []step) error {
	for _, step := range steps {
		for _, name := range step.creates() {
			if present[t.layout.prefix+name] {
				return fmt.Errorf("the database holds a table %s of another program, which was not changed: "+
					"set Options.Schema to a name that nothing else uses", t.layout.table(name))
			}
		}
	}
	return nil
}

// createSchema creates the schema, unless it exists, and in it the table of versions.
// It does not use IF NOT EXISTS, because PostgreSQL then requires the right to create
// schemas even if the schema exists.
func (t *tx) createSchema(ctx context.Context) error {
	if t.dialect.CreateSchema != "" {
		var exists bool
		err := t.QueryRowContext(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, quoted(t.layout.schema)).Scan(&exists)
		if err != nil {
			return err
		}
		if !exists {
			if _, err := t.ExecContext(ctx, fmt.Sprintf(t.dialect.CreateSchema, quoted(t.layout.schema))); err != nil {
				return err
			}
		}
	}
	_, err := t.ExecContext(ctx, `CREATE TABLE {schema_versions} (version INTEGER PRIMARY KEY)`)
	return err
}

func (t *tx) recordVersion(ctx context.Context, version int) error {
	_, err := t.ExecContext(ctx, `INSERT INTO {schema_versions} (version) VALUES ($1)`, version)
	return err
}

// list returns the set of names that a query of the catalogue returns.
func (t *tx) list(ctx context.Context, query string, args ...any) (map[string]bool, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found[name] = true
	}
	return found, rows.Err()
}

// steps renders the migrations for this store, in order. The name of a file begins with
// its version.
func (s *Store) steps() ([]step, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, name := range names {
		step, err := s.step(name)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: migration %s: %w", name, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (s *Store) step(name string) (step, error) {
	number, _, ok := strings.Cut(path.Base(name), "_")
	version, err := strconv.Atoi(number)
	if !ok || err != nil {
		return step{}, errors.New("the name does not begin with a number")
	}
	text, err := template.ParseFS(migrations, name)
	if err != nil {
		return step{}, err
	}
	var statements strings.Builder
	err = text.Execute(&statements, struct {
		engine.Dialect
		IndexPrefix string
	}{s.dialect, s.layout.prefix})
	return step{version, statements.String()}, err
}

var createTable = regexp.MustCompile(`CREATE TABLE \{(\w+)\}`)

// creates returns the tables that a step creates.
func (s step) creates() (tables []string) {
	for _, match := range createTable.FindAllStringSubmatch(s.text, -1) {
		tables = append(tables, match[1])
	}
	return tables
}
