// Package postgres opens a sqlstore.Store in PostgreSQL.
//
//	store, err := postgres.Open(ctx, "postgres://app@db/app", postgres.Options{})
//	store, err := postgres.New(ctx, pool, postgres.Options{})   // pool is a *pgxpool.Pool
//	store, err := postgres.NewDB(ctx, db, postgres.Options{})   // db is a *sql.DB
//
// # The caller's own pool
//
// The pool of [New] or [NewDB] needs no settings to be correct: every transaction of the
// store brings its own bounds and ends with them, and tables are named with their schema,
// whatever search_path says. Three settings of [Open] are then the caller's to choose:
//
//   - How many connections there are. Open takes 16. The store and the application share
//     those of the pool, and a wait for one counts against Options.Timeout.
//   - Whether statements are prepared by name, which pgx does unless told otherwise. Behind a
//     pooler such as PgBouncer in transaction mode, set DefaultQueryExecMode to
//     pgx.QueryExecModeCacheDescribe. Open finds that out by itself.
//   - Whether connections to a server that became read-only in a failover are closed. Open
//     closes them; for a pool, OnPgError of pgconn.Config does so where it returns false for
//     the code 25006.
package postgres
