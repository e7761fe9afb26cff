-- When an account was deleted. What is left of it is its name, so that nobody takes it
-- for the time of the quarantine; then the row goes as well.

ALTER TABLE {users} ADD COLUMN deleted_at {{.Time}};
CREATE INDEX {{.IndexPrefix}}users_by_deletion ON {users} (deleted_at);
