package engine

// Dialect is the text in which the two databases differ.
type Dialect struct {
	RowLock string // ends a SELECT that locks its rows to the end of the transaction
	Skip    string // the same for rows that nobody else has locked, leaving out the others

	// WritesInWith says that a WITH may hold statements that write.
	WritesInWith bool

	// Prefixed says that the names of tables begin with the schema, in a database that has
	// no schemas.
	Prefixed bool

	MigrationLock string // taken by a migration, to the end of its transaction
	CreateSchema  string // %s is the schema
	MoveTable     string // the %s are a table and the schema, or the name, that it moves to

	// Queries of the catalogue. SchemaOf names the schema that a statement finds the table
	// $1 in; Tables lists those of the schema $1, Columns those of its table $2.
	SchemaOf, Tables, Columns string

	// The column types that migrations name.
	UUID, Blob, Time string

	// ByteOrder, after a column, has its text compared byte by byte.
	ByteOrder string
}

// Postgres is the dialect of PostgreSQL.
var Postgres = Dialect{
	RowLock: " FOR UPDATE", Skip: " FOR UPDATE SKIP LOCKED",
	WritesInWith: true,

	// The lock ends with the transaction: PgBouncer may give the next one another session. An
	// instance waits for as long as another one takes, hence no timeout.
	MigrationLock: `SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(5283917406213)`,
	CreateSchema:  `CREATE SCHEMA %s`,
	MoveTable:     `ALTER TABLE %s SET SCHEMA %s`,
	SchemaOf: `SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = to_regclass($1)`,
	Tables: `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1`,
	Columns: `SELECT a.attname FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped`,
	UUID: "uuid", Blob: "bytea", Time: "timestamptz",
	ByteOrder: ` COLLATE "C"`,
}

// SQLite is the dialect of SQLite. It has one writer at a time, and a writing transaction is
// that writer from its start: there is nothing left for a row lock to do.
var SQLite = Dialect{
	Prefixed:  true,
	MoveTable: `ALTER TABLE %s RENAME TO %s`,
	SchemaOf:  `SELECT schema FROM pragma_table_list WHERE schema = 'main' AND name = $1`,
	Tables:    `SELECT name FROM pragma_table_list WHERE schema = $1`,
	Columns:   `SELECT name FROM pragma_table_info($2, $1)`,
	UUID:      "TEXT", Blob: "BLOB", Time: "TIMESTAMP",
}
