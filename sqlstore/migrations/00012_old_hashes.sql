-- The hashes that do not cost what one of today costs, in byte order, so that their kinds
-- are found without reading all users. As users sign in it becomes empty. The condition is
-- that of oldHash in users.go, and a query has to have it to the letter.

CREATE INDEX {{.IndexPrefix}}users_by_old_hash ON {users} (password_hash{{.ByteOrder}})
    WHERE substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$';
