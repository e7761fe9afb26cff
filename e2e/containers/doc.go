// Package containers runs Dockerfile and compose.yaml in a real Docker engine and uses the service as people do: through the
// published port, with passkeys, across restarts, and by e-mail. `make containers` runs it; the build tag "containers" keeps it
// out of every other run, because the first one compiles Docker Compose and builds a Debian system, which takes minutes.
//
// The tests start an engine of their own, in folders of their own, and stop it at the end. It makes no rule in the packet
// filter and no bridge but those of the tests' networks: an image that is built uses the machine's network, and a port on
// localhost is published by docker-proxy, as it is by an engine with its usual settings.
//
// No image is pulled. Substitutes for the images that Dockerfile and compose.yaml name are made from packages and Go modules:
//
//   - golang: a Debian system with this machine's Go, its certificates, and its GOPROXY and GOSUMDB.
//   - postgres: Debian's PostgreSQL with an entrypoint that keeps the contract of the official image.
//   - axllent/mailpit: Mailpit, compiled from its Go module, without its pages.
//
// So the tests show that our files work with an engine and with Compose. That the official images keep their own contract is
// not shown here.
package containers
