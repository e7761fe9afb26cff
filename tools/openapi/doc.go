// Package openapi holds the test that a client can be generated from openapi.json.
package openapi
