package storage

import "context"

// Store keeps users, passkeys, sessions, events, mails and the service's own keys.
//
// An implementation is safe for concurrent use by several instances, answers within a bounded
// time, returns [ErrNotFound] for a row that it does not hold and [ErrUnavailable] when it cannot
// tell, and passes storetest.TestStore.
type Store interface {
	// InTx runs fn in one transaction, which is committed if fn returns nil and has no effect
	// otherwise. The transaction also runs to its end if ctx is cancelled meanwhile: whether
	// the client still waits must not decide what is stored. After a deadlock, fn runs again
	// from the start.
	InTx(ctx context.Context, fn func(Tx) error) error

	// Ping reports whether the store can be reached.
	Ping(ctx context.Context) error

	// Sweep deletes what is no longer needed, in batches so small that other callers hardly
	// notice. The store's own clock decides. Correctness does not depend on it.
	Sweep(ctx context.Context) error

	UserStore
	PasskeyStore
	SessionStore
	EventStore
	AttemptStore
	ActionStore
	LinkStore
	InvitationStore
	BrowserSessionStore
	MailStore
	RecoveryStore
	KeyStore
	ExternalStore
}

// Tx is a transaction of a [Store]. It must not be used after the function it was handed to
// has returned, nor by two goroutines at once.
type Tx interface {
	UserTx
	PasskeyTx
	SessionTx
	ChallengeTx
	EventTx
	AttemptTx
	LinkTx
	InvitationTx
	MailTx
	RecoveryTx
	KeyTx
	ExternalTx
}
