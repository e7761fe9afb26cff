package storage

import "errors"

// The kinds of errors that an implementation returns, alone or wrapped. Any other error is a
// fault of the implementation.
var (
	// ErrNotFound is returned for a row that a store does not hold.
	ErrNotFound = errors.New("storage: not found")

	// ErrUnavailable is returned by a store that cannot be reached or does not answer in
	// time. Nothing may be concluded from it: callers fail closed.
	ErrUnavailable = errors.New("storage: unavailable")

	// ErrUsernameTaken is returned for a canonical name that another user has.
	ErrUsernameTaken = errors.New("storage: username taken")

	// ErrPasskeyExists is returned for a credential id that is registered already, to this
	// user or another one.
	ErrPasskeyExists = errors.New("storage: passkey already registered")

	// ErrPasskeyStale is returned for the use of a passkey that is gone, or whose signature
	// counter does not grow (WebAuthn Level 3 §7.2 step 22).
	ErrPasskeyStale = errors.New("storage: passkey gone or its counter did not grow")

	// ErrChallengeExpired is returned for a challenge that is unknown, used, expired, or made
	// for another user, session or ceremony.
	ErrChallengeExpired = errors.New("storage: challenge expired")
)
