// Package container holds the tests of Dockerfile, compose.yaml and .env.example
// that need no container engine: compose.yaml is read as Docker Compose reads
// it, and the image's program is built by the Dockerfile's own command and run
// as its user in a directory that holds what the image holds. What only an engine
// can show, that the image builds and the network between the services works, is
// not tested here.
package container
