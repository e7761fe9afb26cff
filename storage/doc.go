// Package storage is the vocabulary of everything that Stepkey keeps, and the three seams
// behind which it is kept: [Store], [Challenges] and [Limiter]. A file holds a noun, and the
// methods of the seams that are about it.
//
// Package sqlstore implements all three on SQLite and PostgreSQL, redisstore and memstore
// implement Challenges and Limiter. Write an implementation of your own against the suites of
// package storetest: they are the contract in executable form.
//
// Three rules hold for every method:
//
//   - Whatever must happen once is decided by one conditional statement, never by a read that
//     a write follows. Where several callers race, exactly one is told that it was first.
//   - Time is an argument. An implementation reads no clock, except where its documentation
//     says that its clock decides.
//   - Errors are of the kinds in errors.go. A caller that gets [ErrUnavailable] fails closed.
//
// The package needs uuid and token, and nothing that speaks HTTP or SQL.
package storage
