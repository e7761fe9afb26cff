-- What people recognise an event by: the device and the network of the request, and the name that
-- the passkey had at the time. All are '' in rows from before. Times counts the attempts of an entry
-- that stands for several, since the first of them; it is 0 in all others.
ALTER TABLE {events} ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE {events} ADD COLUMN network TEXT NOT NULL DEFAULT '';
ALTER TABLE {events} ADD COLUMN passkey_name TEXT NOT NULL DEFAULT '';
ALTER TABLE {events} ADD COLUMN times BIGINT NOT NULL DEFAULT 0;
ALTER TABLE {events} ADD COLUMN since {{.Time}};

-- The passkey that was verified last in a session, also after the session has fallen back.
ALTER TABLE {sessions} ADD COLUMN last_passkey_id {{.UUID}};
