// Package rawsql lets tests reach past a sqlstore.Store into its tables, and call them by
// their plain names.
package rawsql

import (
	"context"
	"database/sql"
	"regexp"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// DB is a database that a store with the default schema keeps its tables in.
type DB struct {
	*sql.DB

	// Complete makes a statement with plain names one for the connections of the DB.
	Complete func(statement string) string
}

// Open opens the database with the URL that the store has.
func Open(url string) (*DB, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		db, err := sql.Open("sqlite", path)
		return &DB{db, addPrefix}, err
	}
	db, err := sql.Open("pgx", url+"&search_path=stepkey")
	return &DB{db, func(statement string) string { return statement }}, err
}

var tables = regexp.MustCompile(`\b(FROM|UPDATE|INTO|JOIN) (browser_sessions|challenges|emails|events|invitations|login_attempts|mail_links|outbox|` +
	`passkeys|rate_limits|recovery_codes|refused_ceremonies|schema_versions|sessions|settings|signing_keys|spent_actions|used_challenges|users|attribute_changes|consents|purpose_counts)\b`)

func addPrefix(statement string) string {
	return tables.ReplaceAllString(statement, `$1 stepkey_$2`)
}

// ExecContext is that of sql.DB.
func (d *DB) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return d.DB.ExecContext(ctx, d.Complete(query), args...)
}

// QueryContext is that of sql.DB.
func (d *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return d.DB.QueryContext(ctx, d.Complete(query), args...)
}

// QueryRowContext is that of sql.DB.
func (d *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return d.DB.QueryRowContext(ctx, d.Complete(query), args...)
}
