// Bench measures what Stepkey costs. `make bench` runs it.
//
// It builds the service, starts it as a process of its own with every
// combination of database (SQLite, PostgreSQL) and access tokens (HS256, ES256),
// drives it over loopback and prints a Markdown table of the CPU time that one
// operation takes in the server process: not in the client, and not in
// PostgreSQL, whose own CPU the table leaves out.
//
// Beside each figure stands that of a bare net/http handler in another process,
// which answers the same requests with the same bytes, recorded from the service
// just before, and for guarded routes one small request, answered with 204. For a password login it computes one argon2id hash besides.
// The two take ten turns in each round, so that a machine that changes its speed
// changes it for both; figures are medians of the rounds, and ratios are taken
// within a round.
//
// With -stepup it measures package stepup instead, in an application that this program plays, beside
// what the application does anyway. With -gate it measures the gate instead: its proxy beside
// httputil.ReverseProxy alone, and /forward-auth beside an answer without content.
//
// With -growth 1000,100000 it measures databases with so many users, each with three passkeys, two sessions
// and 20 events, in turns. The service writes one user itself; all others are copies of its rows with ids,
// names, random bytes and times of their own. Each call is made for a user drawn from all of them. It is
// bounded to an hour.
//
// With -crowd, 10 000 sessions refresh in half a minute, alone and while 1 000 people sign in, and end in the end while a
// second instance follows.
//
// With -report docs/performance.md it measures the service, the gate and package stepup, or those named by -only, and replaces
// their parts of the document, between lines such as <!-- bench:gate --> and <!-- /bench:gate -->, and their plots in the folder
// images beside it. Each part says when, where, at which commit and by which command it was measured, and whether
// other programs kept the machine busy.
//
// Number of requests, connections and time are bounded, and everything runs on
// 127.0.0.1. It needs Linux, for the CPU clocks of other processes, and the
// PostgreSQL server programs.
package main
