// Package proxy tests Stepkey behind real proxies, nginx and Caddy, each with the configuration file that is in
// examples, with two instances behind it and TLS ending there: first by requests, then in Chromium.
//
// The host names are real to all of them. Only the resolvers of the clients are told that they are on this machine.
//
// One test has the gate get a certificate from an authority, which is Let's Encrypt's own for tests.
package proxy
