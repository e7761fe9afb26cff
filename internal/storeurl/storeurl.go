// Package storeurl opens a store by the scheme of a URL. It compiles the drivers of both
// databases, and is for the service and for tests.
package storeurl

import (
	"context"
	"errors"
	"strings"

	_ "modernc.org/sqlite" // the driver of sqlite.Open

	"github.com/stepkey/stepkey/sqlstore"
	"github.com/stepkey/stepkey/sqlstore/postgres"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
)

// Open opens the database that url names, postgres://… or sqlite:PATH, and brings its
// schema up to date. The caller closes the Store.
func Open(ctx context.Context, url string, options sqlstore.Options) (*sqlstore.Store, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return sqlite.Open(ctx, path, options)
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return postgres.Open(ctx, url, options)
	}
	return nil, errors.New("the database URL is neither postgres://… nor sqlite:PATH")
}
