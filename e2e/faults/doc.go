// Package faults holds the tests of what Stepkey does when what it stands on
// fails: the real binary on a real PostgreSQL, with a proxy in between that cuts,
// holds up and delays, and with processes that are killed.
//
// Each row of the fault table is one test. It says what is broken, how, and what is
// expected; while it is broken, people sign up, sign in, refresh, add and verify
// passkeys and read guarded routes, and a ledger of what they were told is held
// against the service afterwards. In every row:
//
//   - what was acknowledged is there: accounts, passkeys, refresh tokens;
//   - no challenge is accepted twice;
//   - nobody gets in without a right to: no 2xx for forged tokens or too low a level;
//   - every request is answered in time, and by 503 where by an error at all;
//   - all is as before once the fault is gone, without a restart of the service.
//
// Times are generous bounds or figures in the report, never measures of speed.
//
// "make faults" runs each row for a few seconds, with deadlines that no load reaches
// unless the row is about a deadline. "make reliability" runs the long form, with the
// deadlines that a service has, and writes docs/reliability.md.
package faults
