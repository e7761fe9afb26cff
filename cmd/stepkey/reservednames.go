package main

import (
	"errors"
	"slices"

	"github.com/stepkey/stepkey"
)

// reservedNames returns the names that nobody can sign up with. It is not nil, which would stand for the default.
func (s settings) reservedNames() ([]string, error) {
	names := []string{}
	for _, name := range trimAll(s.ReservedNames) {
		switch name {
		case "none":
			if len(s.ReservedNames) > 1 {
				return nil, errors.New("STEPKEY_RESERVED_NAMES has none beside other names: remove one or the others")
			}
		case "default":
			names = slices.Concat(names, stepkey.DefaultReservedNames())
		default:
			names = append(names, name)
		}
	}
	return names, nil
}
