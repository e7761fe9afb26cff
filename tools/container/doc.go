// Package container holds the tests of Dockerfile, compose.yaml and .env.example
// that need no container engine: compose.yaml is read as Docker Compose reads
// it, and the image's program is built by the Dockerfile's own command and run
// as its user in a directory that holds what the image holds. e2e/containers tests
// the same files in an engine, on machines where one can run.
package container
