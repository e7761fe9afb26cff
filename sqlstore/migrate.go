package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// duplicateTable is PostgreSQL's code for a table that is there already. The NestJS
// original, for one, has a table users as well.
const duplicateTable = "42P07"

// migrate brings the schema up to date. Under PostgreSQL an advisory lock lets
// one instance do so while the others wait.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := s.dialect.migrations()
	if err != nil {
		return err
	}
	options := []goose.ProviderOption{goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true)}
	if s.dialect.name == postgresDialect.name {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("sqlstore: migrate: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(s.dialect.goose, s.db.write, nil, options...)
	if err != nil {
		return fmt.Errorf("sqlstore: migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		if postgresCode(err) == duplicateTable {
			return fmt.Errorf("sqlstore: migrate: the database holds tables of something else, which stay as they are: "+
				"give Stepkey a database of its own: %w", err)
		}
		return fmt.Errorf("sqlstore: migrate: %w", s.translate(err))
	}
	return nil
}

// migrations renders the files for this dialect. A name begins with the number
// of the step; one that ends in .postgres.sql or .sqlite.sql is for that database
// only.
func (d dialect) migrations() ([]*goose.Migration, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, name := range names {
		parts := strings.Split(path.Base(name), ".")
		if len(parts) == 3 && parts[1] != d.name {
			continue
		}
		step, err := d.migration(name)
		if err != nil {
			return nil, fmt.Errorf("sqlstore: migration %s: %w", name, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

func (d dialect) migration(name string) (*goose.Migration, error) {
	number, _, ok := strings.Cut(path.Base(name), "_")
	version, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return nil, errors.New("the name does not begin with a number")
	}
	text, err := template.ParseFS(migrations, name)
	if err != nil {
		return nil, err
	}
	var statements strings.Builder
	if err := text.Execute(&statements, d); err != nil {
		return nil, err
	}
	up := func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statements.String())
		return err
	}
	return goose.NewGoMigration(version, &goose.GoFunc{RunTx: up}, nil), nil
}
