package main

import (
	"errors"
	"slices"

	"github.com/stepkey/stepkey"
)

// reservedNames returns the names that cannot be used to sign up. The result is never nil, which would mean
// the default.
func (s settings) reservedNames() ([]string, error) {
	names := []string{}
	for _, name := range trimAll(s.ReservedNames) {
		switch name {
		case "none":
			if len(s.ReservedNames) > 1 {
				return nil, errors.New("STEPKEY_RESERVED_NAMES has both none and other names: remove one or the others")
			}
		case "default":
			names = slices.Concat(names, stepkey.DefaultReservedNames())
		default:
			names = append(names, name)
		}
	}
	return names, nil
}
