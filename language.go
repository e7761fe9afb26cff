package stepkey

import (
	"context"
	"fmt"

	"github.com/stepkey/stepkey/internal/messages"
	"github.com/stepkey/stepkey/storage"
)

// languages are those of the mails.
func (c Config) languages() (*messages.Set, error) {
	set, err := messages.LoadService(c.Languages)
	if err != nil {
		return nil, fmt.Errorf("Config.Languages: %w", err)
	}
	if c.Language == "" {
		return set, nil
	}
	if err := set.Only(c.Language); err != nil {
		return nil, fmt.Errorf("Config.Language is %.40q: %w", c.Language, err)
	}
	return set, nil
}

// Language returns the tag of the best of the service's languages for preferences in the form of the header
// Accept-Language, in descending order of weight, and an empty tag if none of them matches. It is what
// Client.Language is for. A preference of more than 1000 bytes counts as empty.
func (s *Service) Language(preferences ...string) string { return s.languages.Choose(preferences...) }

// learnLanguage makes the language of a client that signs in that of the user, if it is another one. Where the user has
// a passkey, only a sign-in with it counts: a thief who knows the password could otherwise have the notices of his own
// doings sent in a language that the owner does not read.
func (s *Service) learnLanguage(ctx context.Context, tx storage.Tx, u User, from Client, verified bool) error {
	language := s.Language(from.Language)
	if language == "" || language == u.Language {
		return nil
	}
	return tx.SetLanguage(ctx, u.ID, language, verified)
}
