// Package drivers tests stores on drivers for SQLite that the service itself does not use.
// One of them registers the name "sqlite", as the driver of the service does: a program with
// both would not start.
package drivers
