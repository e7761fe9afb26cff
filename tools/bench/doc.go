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
// just before. For a password login it computes one argon2id hash besides.
// The two are measured in turns, round by round, so that a machine that changes
// its speed changes it for both; figures are medians of the rounds, and ratios
// are taken within a round.
//
// With -stepup it measures package stepup instead, in an application that this program plays, beside
// what the application does anyway.
//
// Number of requests, connections and time are bounded, and everything runs on
// 127.0.0.1. It needs Linux, for the CPU clocks of other processes, and the
// PostgreSQL server programs.
package main
