// Package api holds the tests of Stepkey's HTTP API from the outside: the real
// binary, started as a process, on SQLite and on PostgreSQL. Nothing here
// reaches into the server; what cannot be seen over HTTP is not tested here.
//
// Every answer that any test gets passes through a transport that holds it
// against httpapi/openapi.json: the path, the status, the headers and the body,
// and for problems the whole text. A member that the document does not name
// fails the test, and so does an answer above 499.
package api
