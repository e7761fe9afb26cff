package throttle

import (
	"time"

	"github.com/stepkey/stepkey/storage"
)

// Rule is a limit and the prefix of the buckets that it governs. The rules are the variables
// below, which nothing assigns to.
type Rule struct {
	bucket string
	limit  storage.Limit
}

// per makes a rule. A bucket holds burst and regains one per interval, so a window of time
// lets through at most burst + window/interval.
func per(bucket string, burst int, interval time.Duration) Rule {
	return Rule{bucket: bucket, limit: storage.Limit{Burst: burst, Every: interval}}
}

// The limits, except those on consecutive wrong passwords, which are in storage/attempt.go.
// Where docs/limits.md says "N in any hour", burst and interval are chosen so that N is the
// maximum of every hour, whenever it begins. TestDocumentedLimits measures each of them.
var (
	// Failed logins, per address and per network. A success is refunded, so an office
	// behind one address does not look like a crowd of attackers.
	logInAddress = per("login-address", 20, 6*time.Second)
	logInNetwork = per("login-network", 200, 600*time.Millisecond)

	// Logins with a password from unknown devices, right or wrong, per account and per
	// address. These are never refunded: a client that knows one password could otherwise
	// have it hashed without end. A script that logs in once a minute stays below all of
	// them.
	signInAccount = per("signin-account", 30, 6*time.Second)
	signInAddress = per("signin-address", 200, time.Second)

	// The same on known devices, per device and per address. The counts are separate, so
	// that somebody who has the password but not the device cannot use up the owner's. A
	// client beyond these limits counts as an unknown device. The burst of a device exceeds
	// storage.FreeAttempts.
	signInDevice       = per("signin-device", 20, 30*time.Second)
	signInKnownAddress = per("signin-known-address", 200, time.Second)

	// Sign-ups: 5 in any hour and 20 in any day per address, 50 in any hour per network.
	// Names that are taken count as well, because the answer reveals them.
	signUpHour    = per("signup-hour", 5, 61*time.Minute)
	signUpDay     = per("signup-day", 8, 117*time.Minute)
	signUpNetwork = per("signup-network", 30, 175*time.Second)

	// Challenges for logging in with a passkey alone, per address and per network. Every
	// open login page requests one every few minutes, in an office for many people. The
	// limit bounds how many the store has to keep.
	logInOptionsAddress = per("login-options-address", 100, time.Second)
	logInOptionsNetwork = per("login-options-network", 1000, 100*time.Millisecond)

	// Failed passkey logins, per address and per network. A success is refunded.
	passkeyLogInAddress = per("passkey-login-address", 20, 6*time.Second)
	passkeyLogInNetwork = per("passkey-login-network", 200, 600*time.Millisecond)

	// Challenges begins a ceremony, per session: 30 in any five minutes. The burst is enough
	// to add all the passkeys that an account may have.
	Challenges = per("options", 25, 58*time.Second)

	// Verifications are failed passkey responses, per session: 10 in any quarter of an hour.
	// One more failed response ends the session: a person whose key does not work has given
	// up long before.
	Verifications = per("verification", 10, 16*time.Minute)

	// RecoveryCodes are attempts at a recovery code, per session.
	RecoveryCodes = per("recovery-code", 10, 16*time.Minute)

	// RefusedCeremonies are refusals of passkey responses that are recorded, per user: 30 in
	// any five minutes. Further ones are only logged, so that a flood of them does not write
	// to the store.
	RefusedCeremonies = per("refused-ceremony", 25, 58*time.Second)

	// PasswordChanges are calls to change the password, per user, whether the current
	// password is right or wrong. The burst exceeds storage.FreeAttempts, so that one
	// session that guesses does not use it up.
	PasswordChanges = per("password-change", 30, time.Minute)

	// Renames of passkeys, per session: 30 in any five minutes. That is more than an account
	// can have, and keeps endless renaming from filling the record of events.
	Renames = per("rename", 25, 58*time.Second)

	// BrowserCodes are codes by which a browser continues a session at an application behind the gate,
	// per session: 30 in any five minutes. Each ends up as a row of the store.
	BrowserCodes = per("browser-code", 25, 58*time.Second)

	// Exports read everything about an account, per session: 10 in any hour.
	Exports = per("export", 7, 16*time.Minute)

	// Passkeys added or removed, per user and level: 60 in any hour. The burst is enough to
	// add all the passkeys that an account may have and to remove them again.
	passkeyChange = per("change", 45, 4*time.Minute)

	// Other changes of an account, per user, level and kind: 10 in any hour.
	accountChange = per("change", 7, 16*time.Minute)

	// Notices of events that happen whether or not there is a mail about them, such as the
	// end of a session whose refresh token was copied, per user and kind: 10 in any hour.
	// Notices of a failed passkey after the right password: 1 in any hour.
	notice              = per("notice", 7, 16*time.Minute)
	passkeyFailedNotice = per("notice", 1, 61*time.Minute)

	// Anonymous requests for a new password: 3 in any hour per address or user name that
	// they are for, whether there is such a user or not, and 10 in any hour per client
	// address.
	resetTarget = per("mail-to", 3, 61*time.Minute)
	resetClient = per("mail-client", 7, 16*time.Minute)

	// Links to confirm an address. A mailbox is sent up to 3 in any hour for one account,
	// and up to 30 for all. The second number bounds what many accounts can do to the
	// mailbox of a stranger. It is not smaller because they could use it up before the owner
	// confirms the address.
	confirmAccount = per("confirm-account", 3, 61*time.Minute)
	confirmAddress = per("confirm-address", 20, 6*time.Minute)
	confirmClient  = per("confirm-client", 7, 16*time.Minute)

	// Recovery by mail, begun or its link requested again: 3 in any hour per account and
	// client address, 10 in any hour per client address.
	recoveryAccount = per("recovery-account", 3, 61*time.Minute)
	recoveryClient  = per("recovery-client", 7, 16*time.Minute)
)

// The budgets. Each instance counts them for itself, in memory: they bound how much work one
// client can cause and guard nothing that could be guessed by trying long enough, so a call
// within its budget costs no query.
var (
	// SessionCalls and ClientCalls are calls per session, and per address for calls without
	// a session. A page makes about ten calls; twenty open pages and an office behind one
	// address stay far below.
	SessionCalls = per("session", 600, 100*time.Millisecond)
	ClientCalls  = per("client", 2000, 20*time.Millisecond)

	// Readiness is calls of /readyz, which query the database, per address. They have a
	// budget of their own, so that clients behind one address do not keep a load balancer
	// from its health checks.
	Readiness = per("readiness", 100, 200*time.Millisecond)

	// Refreshes are counted per session. A client refreshes once in 15 minutes, and each of
	// its open pages may do so at the same moment.
	Refreshes = per("refresh", 60, 2*time.Second)

	// Introspections and Revocations are wrong introspection secrets, and revocations of
	// tokens that are not ours, per address. The right ones are refunded.
	Introspections = per("introspection", 20, 6*time.Second)
	Revocations    = per("revocation", 100, time.Second)
)

// Failures is the limit on failed logins of all clients together, given how many a minute
// count as an attack.
func Failures(perMinute int) storage.Limit {
	return storage.Limit{Burst: perMinute, Every: time.Minute / time.Duration(perMinute)}
}

// While an attack is assumed, each address may fail a quarter as often.
const (
	attackLasts   = time.Minute
	attackDivisor = 4
)

// How many operations of one account an instance has at the store. Most of them wait for the
// same rows.
const (
	// maxTurns run at once. Each that waits for a row holds a connection that somebody else
	// could use.
	maxTurns = 2

	// maxWaiting wait for their turn. Somebody with twenty open pages that all come back at
	// once stays far below it.
	maxWaiting = 256
)

// How many places at the hash gate one client holds at once, on this instance. Without these
// bounds a client that knows one password, whose failures are refunded again and again, fills
// the gate and keeps everybody else from logging in. The numbers are the same for names that
// nobody has, so that a refusal does not tell which names exist.
const (
	// MaxAccountPlaces is for one account from unknown devices, for one known device, for
	// the known devices of one account at one address, and for the password changes and
	// resets of one user. A person needs one; the second is for a double click and for two
	// people at once in one home.
	MaxAccountPlaces = 2

	// MaxDevicesPlaces is for all known devices of one account together. It exceeds
	// MaxAccountPlaces so that somebody else's known device at another address does not
	// shut out the owner's.
	MaxDevicesPlaces = 6
)
