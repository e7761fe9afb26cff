-- Whether a trusted maker vouched for a passkey's authenticator, and whether a session
-- was raised with a passkey that is known to stay in its piece of hardware.

ALTER TABLE {passkeys} ADD COLUMN attested BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE {sessions} ADD COLUMN full_hardware BOOLEAN NOT NULL DEFAULT FALSE;
