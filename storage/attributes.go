package storage

import (
	"github.com/google/uuid"

	"github.com/stepkey/stepkey/token"
)

// Attributes are what a service says of a user in tokens: the groups, and the claims whose names
// it chose. Both are in their canonical form, so Attributes can be compared.
type Attributes struct {
	Groups token.Groups
	Claims token.OwnClaims

	// Version counts the changes. A token has the version that was read with the rest.
	Version int64
}

// Mark returns the id by which a list of ended sessions says that the user's attributes of this
// version were replaced. See [token.AttributesMark].
func (a Attributes) Mark(userID uuid.UUID) uuid.UUID {
	return uuid.UUID(token.AttributesMark(token.ID(userID), a.Version))
}
