-- The groups of users and the claims whose names the service chose, in their canonical forms (see
-- package token), and how often they were changed.

ALTER TABLE {users} ADD COLUMN group_names TEXT NOT NULL DEFAULT '';
ALTER TABLE {users} ADD COLUMN own_claims TEXT NOT NULL DEFAULT '';
ALTER TABLE {users} ADD COLUMN attributes_version BIGINT NOT NULL DEFAULT 0;

-- The changes that tokens may have been made before. The mark names a user and a version; lists of
-- ended sessions contain it.
CREATE TABLE {attribute_changes} (
    mark       {{.UUID}} PRIMARY KEY,
    changed_at {{.Time}} NOT NULL
);
CREATE INDEX {{.IndexPrefix}}attribute_changes_by_time ON {attribute_changes} (changed_at, mark);
