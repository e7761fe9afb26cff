// Package front runs real proxies for tests: their programs with configuration files of examples, and TLS with a
// certificate of the test's own authority.
package front
