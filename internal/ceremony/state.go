package ceremony

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

const challengeSize = 32

// The first byte of an encoded state names its ceremony and the version of the
// encoding. A new encoding takes new bytes.
const (
	registrationTag = 'R'
	assertionTag    = 'A'
	discoverableTag = 'D'
)

var errState = errors.New("ceremony: not a state of this ceremony")

// RegistrationState is the server's state of a registration that has begun. Its
// challenge must be used once, and it is useless to anyone but the server.
type RegistrationState struct {
	challenge []byte
	handle    []byte
}

// Challenge returns the challenge of the ceremony.
func (s RegistrationState) Challenge() []byte { return bytes.Clone(s.challenge) }

// MarshalBinary encodes the state for UnmarshalBinary of the same version of
// this package.
func (s RegistrationState) MarshalBinary() ([]byte, error) {
	return appendState(registrationTag, s.challenge, s.handle)
}

// UnmarshalBinary decodes what MarshalBinary encoded. The bytes of an
// AssertionState are an error.
func (s *RegistrationState) UnmarshalBinary(data []byte) error {
	challenge, handle, rest, err := cutState(registrationTag, data)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return errState
	}
	*s = RegistrationState{challenge: challenge, handle: handle}
	return nil
}

// AssertionState is the server's state of an assertion that has begun: the
// challenge, the user, and the offered passkeys.
type AssertionState struct {
	challenge []byte
	handle    []byte
	offered   [][]byte
}

// Challenge returns the challenge of the ceremony.
func (s AssertionState) Challenge() []byte { return bytes.Clone(s.challenge) }

// MarshalBinary encodes the state for UnmarshalBinary of the same version of
// this package.
func (s AssertionState) MarshalBinary() ([]byte, error) {
	data, err := appendState(assertionTag, s.challenge, s.handle)
	if err != nil {
		return nil, err
	}
	for _, id := range s.offered {
		if len(id) == 0 || len(id) > math.MaxUint16 {
			return nil, errState
		}
		data = binary.BigEndian.AppendUint16(data, uint16(len(id)))
		data = append(data, id...)
	}
	return data, nil
}

// UnmarshalBinary decodes what MarshalBinary encoded. The bytes of a
// RegistrationState are an error.
func (s *AssertionState) UnmarshalBinary(data []byte) error {
	challenge, handle, rest, err := cutState(assertionTag, data)
	if err != nil {
		return err
	}
	var offered [][]byte
	for len(rest) != 0 {
		if len(rest) < 2 {
			return errState
		}
		n := int(binary.BigEndian.Uint16(rest))
		rest = rest[2:]
		if n == 0 || len(rest) < n {
			return errState
		}
		offered = append(offered, bytes.Clone(rest[:n]))
		rest = rest[n:]
	}
	if len(offered) == 0 {
		return errState
	}
	*s = AssertionState{challenge: challenge, handle: handle, offered: offered}
	return nil
}

func (s AssertionState) offers(id []byte) bool {
	return slices.ContainsFunc(s.offered, func(offered []byte) bool { return bytes.Equal(offered, id) })
}

// appendState encodes the common beginning of both states: the tag, the
// challenge, and the user handle prefixed with its length.
func appendState(tag byte, challenge, handle []byte) ([]byte, error) {
	if len(challenge) != challengeSize || len(handle) == 0 || len(handle) > MaxUserHandle {
		return nil, errState
	}
	data := append([]byte{tag}, challenge...)
	data = append(data, byte(len(handle)))
	return append(data, handle...), nil
}

func cutState(tag byte, data []byte) (challenge, handle, rest []byte, err error) {
	if len(data) < 1+challengeSize+1 || data[0] != tag {
		return nil, nil, nil, errState
	}
	challenge, rest = data[1:1+challengeSize], data[1+challengeSize:]
	n := int(rest[0])
	rest = rest[1:]
	if n == 0 || n > MaxUserHandle || len(rest) < n {
		return nil, nil, nil, errState
	}
	return bytes.Clone(challenge), bytes.Clone(rest[:n]), rest[n:], nil
}
