// Package throttle bounds how often and how much at once a client may do something.
//
// A [Throttle] charges limits at the storage.Limiter that all instances share, counts budgets
// in the memory of this instance, and bounds how many places at the hash gate one client
// holds. An [Attempt] is one password to be checked: it is charged as a failure before it is
// hashed and then told how it ended. [Turns] keep the calls of one account from slowing down
// those of others. All limits are in table.go; docs/limits.md explains them.
//
// The package contains no use-case and does not decide who is signed in.
package throttle
