// Package nestjs reads users and passkeys from the database of the NestJS demo whose
// API Stepkey took over.
//
// Its two tables, users and passkey_credentials, are written by TypeORM: columns in
// camel case, ids of type uuid, times without a zone, which are read as UTC. A fork may
// have changed columns; known changes are recognised by the name and the type of the
// column, and optional columns may be missing.
//
// Two values need care. The original stores the transports {internal} if a client
// reported none, so this list counts as unknown: otherwise browsers would not ask
// for security keys and phones. And the WebAuthn user handle is not stored: it is
// the text of the user's id.
package nestjs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/stepkey/stepkey/storage"
)

// connectTimeout bounds the wait for the server.
const connectTimeout = 10 * time.Second

// Source is a snapshot of the original's database, in a read-only transaction. It
// is for one goroutine.
type Source struct {
	conn  *pgx.Conn
	tx    pgx.Tx
	users string // the table, in its schema
	query string
	text  passkeyText
}

// Open begins to read from the database at url. The errors say what to do and contain
// no password.
func Open(ctx context.Context, url string) (*Source, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("that is not a PostgreSQL URL: write it like postgres://user:password@host:5432/name")
	}
	config.ConnectTimeout = connectTimeout
	if !strings.Contains(url, "default_query_exec_mode") {
		// Statements prepared by name do not work with every pooler.
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	config.RuntimeParams["application_name"] = "stepkey import"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the original's database cannot be reached: %w", err)
	}
	s := &Source{conn: conn}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Source) begin(ctx context.Context) (err error) {
	// Use one snapshot: changes that the original makes in the meantime are for
	// the next run.
	s.tx, err = s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	schema, users, err := s.findUsers(ctx)
	if err != nil {
		return err
	}
	passkeys, err := s.columns(ctx, schema, "passkey_credentials")
	if err != nil {
		return err
	}
	s.users = pgx.Identifier{schema, "users"}.Sanitize()
	s.query, s.text, err = statement(schema, users, passkeys)
	return err
}

// findUsers returns the first schema of the search path that has the original's users, and
// the columns of that table. An earlier schema may have another table of that name:
// Stepkey's own, in a schema named after the role.
func (s *Source) findUsers(ctx context.Context) (schema string, users columns, err error) {
	rows, err := s.tx.Query(ctx, `SELECT unnest(current_schemas(false))::text`)
	if err != nil {
		return "", nil, err
	}
	schemas, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return "", nil, err
	}
	for _, schema := range schemas {
		users, err := s.columns(ctx, schema, "users")
		if err != nil || users.areUsers() {
			return schema, users, err
		}
	}
	return "", nil, errors.New("there are no users of the original: " +
		"the search path of that database has no table users with id (uuid), username and passwordHash")
}

// Close ends the transaction and the connection.
func (s *Source) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return s.conn.Close(ctx) // the server rolls back
}

// columns returns the types of a table's columns by name, or none if there is no such
// table.
func (s *Source) columns(ctx context.Context, schema, table string) (columns, error) {
	rows, err := s.tx.Query(ctx, `
		SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
		WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`, pgx.Identifier{schema, table}.Sanitize())
	if err != nil {
		return nil, err
	}
	found := make(columns)
	var name, kind string
	_, err = pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		found[name] = kind
		return nil
	})
	return found, err
}

// Count returns how many users there are.
func (s *Source) Count(ctx context.Context) (n int, err error) {
	err = s.tx.QueryRow(ctx, `SELECT count(*) FROM `+s.users).Scan(&n)
	return n, err
}

// Users calls yield for each user, the oldest first, and in the order of ids for equal
// times. It ends with the first error, including one of yield. The rows are streamed, so
// memory does not depend on their number; the server sorts them, because there is no
// index for pages in this order.
func (s *Source) Users(ctx context.Context, yield func(storage.PortableUser) error) error {
	rows, err := s.tx.Query(ctx, s.query)
	if err != nil {
		return err
	}
	defer rows.Close()
	var current *storage.PortableUser
	for rows.Next() {
		var r row
		if err := rows.Scan(r.targets()...); err != nil {
			return err
		}
		if current != nil && current.ID != r.id {
			if err := yield(*current); err != nil {
				return err
			}
			current = nil
		}
		if current == nil {
			u := r.user()
			current = &u
		}
		if r.passkeyID != nil {
			current.Passkeys = append(current.Passkeys, r.passkey(s.text))
		}
	}
	if err := rows.Err(); err != nil || current == nil {
		return err
	}
	return yield(*current)
}

// row is a user and one passkey, or none.
type row struct {
	id                     uuid.UUID
	username, passwordHash string
	active                 bool
	createdAt, updatedAt   *time.Time

	passkeyID               *uuid.UUID
	credentialID, publicKey []byte
	counter                 *int64
	transports              []string
	deviceName              *string
	madeAt, lastUsedAt      *time.Time
}

func (r *row) targets() []any {
	return []any{
		&r.id, &r.username, &r.passwordHash, &r.active, &r.createdAt, &r.updatedAt,
		&r.passkeyID, &r.credentialID, &r.publicKey, &r.counter, &r.transports, &r.deviceName, &r.madeAt, &r.lastUsedAt,
	}
}

func (r *row) user() storage.PortableUser {
	u := storage.PortableUser{
		ID: r.id, Username: r.username, PasswordHash: r.passwordHash, Handle: []byte(r.id.String()),
	}
	if r.createdAt != nil {
		u.CreatedAt = *r.createdAt
	}
	if !r.active {
		// The time of the last change is the best guess.
		at := u.CreatedAt
		if r.updatedAt != nil {
			at = *r.updatedAt
		}
		u.DisabledAt = &at
	}
	return u
}

func (r *row) passkey(text passkeyText) storage.PortablePasskey {
	p := storage.PortablePasskey{
		ID: *r.passkeyID, CredentialID: r.credentialID, PublicKey: r.publicKey, LastUsedAt: r.lastUsedAt, SignCount: -1,
	}
	if text.credentialID {
		p.CredentialID = decode(p.CredentialID)
	}
	if text.publicKey {
		p.PublicKey = decode(p.PublicKey)
	}
	if r.counter != nil {
		p.SignCount = *r.counter
	}
	if len(r.transports) != 1 || r.transports[0] != "internal" {
		p.Transports = r.transports
	}
	if r.deviceName != nil {
		p.Name = *r.deviceName
	}
	if r.madeAt != nil {
		p.CreatedAt = *r.madeAt
	}
	return p
}

// columns are the types of a table's columns by name.
type columns map[string]string

// firstColumn returns the first of names that is a column, quoted and with prefix.
func (c columns) firstColumn(prefix string, names ...string) (column, kind string) {
	for _, name := range names {
		if kind, ok := c[name]; ok {
			return prefix + pgx.Identifier{name}.Sanitize(), kind
		}
	}
	return "", ""
}

func (c columns) or(otherwise, prefix string, names ...string) string {
	if column, _ := c.firstColumn(prefix, names...); column != "" {
		return column
	}
	return otherwise
}

// moment returns an expression for a time, or NULL.
func (c columns) moment(prefix string, names ...string) string {
	column, kind := c.firstColumn(prefix, names...)
	switch {
	case column == "":
		return "NULL::timestamptz"
	case strings.HasPrefix(kind, "timestamp") && strings.HasSuffix(kind, "without time zone"):
		return "(" + column + " AT TIME ZONE 'UTC')"
	default:
		return column + "::timestamptz"
	}
}
