package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Stepkey used to migrate with goose: its tables had unqualified names, in the
// database's default schema, and their versions were in a table goose_db_version that
// an application may share.

// lastGooseVersion is the last version that Stepkey recorded there.
const lastGooseVersion = 10

// gooseLayout is such a layout.
type gooseLayout struct {
	layout  layout
	version int
	tables  []string
}

// findGooseLayout returns the layout that an earlier version of Stepkey made, or nil. It
// recognises Stepkey's tables by their columns. It returns an error if goose_db_version has
// versions of other programs too: only the operator knows which versions are whose, and
// starting with new tables would look as if all users were gone.
func (t *tx) findGooseLayout(ctx context.Context, steps []step) (*gooseLayout, error) {
	var schema string
	err := t.QueryRowContext(ctx, t.dialect.SchemaOf, "signing_keys").Scan(&schema)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for table, column := range map[string]string{"signing_keys": "sealed", "users": "canonical_name", "passkeys": "credential_id"} {
		columns, err := t.list(ctx, t.dialect.Columns, schema, table)
		if err != nil || !columns[column] {
			return nil, err
		}
	}
	old := &gooseLayout{layout: layout{schema: schema}}
	present, err := t.list(ctx, t.dialect.Tables, schema)
	if err != nil {
		return nil, err
	}
	if !present["goose_db_version"] {
		return nil, errors.New("the database holds Stepkey's tables without their version (goose_db_version): restore a backup")
	}
	if old.version, err = t.gooseVersion(ctx, old.layout); err != nil {
		return nil, err
	}
	for _, step := range steps {
		if step.version <= old.version {
			old.tables = append(old.tables, step.creates()...)
		}
	}
	for _, name := range old.tables {
		if !present[name] {
			return nil, fmt.Errorf("the database holds some of Stepkey's tables and lacks %s: restore a backup", name)
		}
	}
	return old, nil
}

var errVersions = errors.New("the database holds Stepkey's tables, but goose_db_version has other versions than Stepkey's: " +
	`see "Moving by hand" in docs/operations.md`)

// gooseVersion returns the version of a layout if goose has only recorded steps of
// Stepkey: 0, for an empty database, and every step up to the last.
func (t *tx) gooseVersion(ctx context.Context, old layout) (int, error) {
	rows, err := t.QueryContext(ctx, `SELECT version_id, is_applied FROM `+old.table("goose_db_version")+` ORDER BY id`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	next := 0
	for ; rows.Next(); next++ {
		var version int
		var applied bool
		if err := rows.Scan(&version, &applied); err != nil {
			return 0, err
		}
		if version != next || !applied || version > lastGooseVersion {
			return 0, errVersions
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if next < 2 {
		return 0, errVersions
	}
	return next - 1, nil
}

// moveGooseLayout moves tables, indexes and versions to the current layout.
func (t *tx) moveGooseLayout(ctx context.Context, old *gooseLayout) error {
	for _, name := range old.tables {
		if err := t.moveTable(ctx, old.layout, name); err != nil {
			return err
		}
	}
	for version := 1; version <= old.version; version++ {
		if err := t.recordVersion(ctx, version); err != nil {
			return err
		}
	}
	// An application that starts to use goose would mistake these versions for its
	// own.
	_, err := t.ExecContext(ctx, `DROP TABLE `+old.layout.table("goose_db_version"))
	return err
}

func (t *tx) moveTable(ctx context.Context, old layout, name string) error {
	if t.layout.sameAs(old) {
		return nil
	}
	to := quoted(t.layout.schema)
	if t.layout.prefix != "" {
		to = quoted(t.layout.prefix + name)
	}
	if _, err := t.ExecContext(ctx, fmt.Sprintf(t.dialect.MoveTable, old.table(name), to)); err != nil {
		return err
	}
	if t.layout.prefix == "" {
		return nil
	}
	return t.renameIndexes(ctx, t.layout.prefix+name)
}

// renameIndexes recreates the indexes of a table, with names that begin with the table's
// new prefix. SQLite cannot rename indexes.
func (t *tx) renameIndexes(ctx context.Context, table string) error {
	rows, err := t.QueryContext(ctx,
		`SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL`, table)
	if err != nil {
		return err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var name, create string
		if err := rows.Scan(&name, &create); err != nil {
			return err
		}
		statements = append(statements, `DROP INDEX `+quoted(name), strings.Replace(create, name, t.layout.prefix+name, 1))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
