-- Challenges and limits are gone after a crash of PostgreSQL, as they are after a restart of Redis, and
-- are written without waiting for the disk. SQLite has no such tables.

{{with .Unlogged}}ALTER TABLE {challenges} {{.}};
ALTER TABLE {rate_limits} {{.}};
{{end}}
