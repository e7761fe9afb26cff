package engine

// Dialect is the SQL in which the two databases differ.
type Dialect struct {
	RowLock string // at the end of a SELECT, locks its rows until the end of the transaction
	Skip    string // the same, leaving out rows that another transaction has locked

	// WritesInWith says that a WITH may contain statements that write.
	WritesInWith bool

	// Prefixed says that the names of tables begin with the schema, in a database that has
	// no schemas.
	Prefixed bool

	MigrationLock string // taken by a migration until the end of its transaction
	CreateSchema  string // %s is the schema
	MoveTable     string // the %s are a table and its new schema or name

	// Queries of the catalogue. SchemaOf returns the schema in which an unqualified table
	// $1 is found; Tables lists the tables of the schema $1, Columns the columns of its
	// table $2.
	SchemaOf, Tables, Columns string

	// The column types that migrations name.
	UUID, Blob, Time string

	// Unlogged, after ALTER TABLE and a table, says that it may be empty after a crash. It is
	// empty if the database has no such tables.
	Unlogged string

	// ByteOrder, after a column, makes its text compare byte by byte.
	ByteOrder string
}

// Postgres is the dialect of PostgreSQL.
var Postgres = Dialect{
	RowLock: " FOR UPDATE", Skip: " FOR UPDATE SKIP LOCKED",
	WritesInWith: true,

	// The lock ends with the transaction, because PgBouncer may run the next one in another
	// session. There is no timeout, because an instance waits as long as another one takes.
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
	Unlogged:  `SET UNLOGGED`,
	ByteOrder: ` COLLATE "C"`,
}

// SQLite is the dialect of SQLite. It has one writer at a time, and a writing transaction is
// that writer from its start, so row locks are not needed.
var SQLite = Dialect{
	Prefixed:  true,
	MoveTable: `ALTER TABLE %s RENAME TO %s`,
	SchemaOf:  `SELECT schema FROM pragma_table_list WHERE schema = 'main' AND name = $1`,
	Tables:    `SELECT name FROM pragma_table_list WHERE schema = $1`,
	Columns:   `SELECT name FROM pragma_table_info($2, $1)`,
	UUID:      "TEXT", Blob: "BLOB", Time: "TIMESTAMP",
}
