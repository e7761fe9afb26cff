// Package stepup adds passkeys to an application that keeps its own users,
// passwords and sessions.
//
// The application says who is signed in ([Identity]) and what its sensitive actions
// require ([Purpose], [Rule]). A refusal says what is missing and what has expired
// ([NeededError]).
package stepup
