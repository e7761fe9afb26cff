// Package postgres opens a sqlstore.Store in PostgreSQL.
//
//	store, err := postgres.Open(ctx, "postgres://app@db/app", postgres.Options{})
//	store, err := postgres.New(ctx, pool, postgres.Options{})   // pool is a *pgxpool.Pool
//	store, err := postgres.NewDB(ctx, db, postgres.Options{})   // db is a *sql.DB
//
// # The caller's own pool
//
// The pool passed to [New] or [NewDB] needs no particular settings: every transaction of
// the store sets its own time limits, and table names include their schema, so
// search_path does not matter. The caller chooses three settings that [Open] chooses
// otherwise:
//
//   - The number of connections. Open uses 16. The store and the application share the
//     pool's connections, and waiting for one counts against Options.Timeout.
//   - Whether statements are prepared by name, which is pgx's default. Behind a pooler such
//     as PgBouncer in transaction mode, set DefaultQueryExecMode to
//     pgx.QueryExecModeCacheDescribe. Open detects a pooler by itself.
//   - Whether connections to a server that became read-only in a failover are closed. Open
//     closes them; for your own pool, set OnPgError of pgconn.Config to return false for the
//     code 25006.
package postgres
