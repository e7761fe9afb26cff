package storage

// MaxImportBatch is how many users are imported in one transaction. With three passkeys each,
// that takes a small part of the time a store allows.
const MaxImportBatch = 200

// ImportStatus is the outcome of the import of a user.
type ImportStatus int

// The outcomes.
const (
	ImportAdded   ImportStatus = iota + 1 // the user was added
	ImportPresent                         // a user with that id exists and stays unchanged
	ImportLeftOut                         // the user cannot be imported, for one ImportProblem
)

// ImportProblem is why a user or a passkey is left out, in words.
type ImportProblem string

// Why a user is left out.
const (
	ProblemID              ImportProblem = "there is no id"
	ProblemIDTwice         ImportProblem = "the id comes twice"
	ProblemUsername        ImportProblem = "the user name is outside the rules"
	ProblemUsernameTwice   ImportProblem = "another one to be imported has the user name, but for case or form"
	ProblemUsernameTaken   ImportProblem = "somebody else here has the user name"
	ProblemHashMalformed   ImportProblem = "the password hash is malformed"
	ProblemHashUnsupported ImportProblem = "the password hash is of a kind that is not accepted"
	ProblemHashExcessive   ImportProblem = "the password hash would take too long, or too much memory, to compare"
	ProblemHandle          ImportProblem = "the user handle has more than 64 bytes"
	ProblemHandleMissing   ImportProblem = "there are passkeys and no user handle"
	ProblemHandleTwice     ImportProblem = "the user handle comes twice"
	ProblemHandleTaken     ImportProblem = "somebody else here has the user handle"
	ProblemGroups          ImportProblem = "the groups are outside the rules, or too many"
	ProblemClaims          ImportProblem = "the claims are outside the rules, too long, or not all listed in STEPKEY_CLAIMS"
)

// Why a passkey is left out.
const (
	ProblemCredentialID      ImportProblem = "the credential id does not have 16 to 1023 bytes"
	ProblemCredentialIDTwice ImportProblem = "the credential id comes twice"
	ProblemCredentialIDTaken ImportProblem = "somebody here has the credential id"
	ProblemPublicKey         ImportProblem = "the public key is no usable key of ES256, EdDSA or RS256"
	ProblemSignCount         ImportProblem = "the signature counter is out of range"
	ProblemFlags             ImportProblem = "the flags contradict each other"
	ProblemTooManyPasskeys   ImportProblem = "the user has too many passkeys"
)

// Why an address is left out.
const (
	ProblemEmail            ImportProblem = "it is not one plain address in ASCII"
	ProblemEmailUnconfirmed ImportProblem = "it does not say when it was confirmed"
)

// UserOutcome is the outcome of the import of one user in the store.
type UserOutcome struct {
	Status  ImportStatus
	Problem ImportProblem // why the user was left out

	// TakenPasskeys are the indexes of passkeys of an added user that were not added because
	// their credential ids are taken.
	TakenPasskeys []int
}

// ImportResult is the outcome of the import of one user, that of the checks before the store included.
type ImportResult struct {
	Status   ImportStatus
	Problem  ImportProblem         // why the user is left out
	Passkeys int                   // how many of an added user were added
	LeftOut  map[int]ImportProblem // why passkeys of an added user were not, by index
	Email    ImportProblem         // why the address of an added user is left out
}
