package stepkey_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/stepkey/stepkey"
	"github.com/stepkey/stepkey/sqlstore/sqlite"
)

// A user signs up, signs in with the password, and has no passkey yet. A process that serves requests also calls Run.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "stepkey")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "app.db"), sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	service, err := stepkey.New(ctx, stepkey.Config{
		Store: store, Challenges: store, Limiter: store, Clock: store.Now,
		Secret:  "NV0g/vCbSEXNy1BAfgi2w/7aPnK44tPA6Iqb0kJdiHw=", // openssl rand -base64 32
		Origins: []string{"https://app.example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := service.SignUp(ctx, stepkey.SignUpRequest{Username: "mira", Password: "correct horse battery"}); err != nil {
		log.Fatal(err)
	}
	granted, err := service.LogIn(ctx, stepkey.LogInRequest{Username: "mira", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = service.BeginStepUp(ctx, granted.Caller(), nil)
	fmt.Println(granted.Claims.Username, granted.Claims.Level, err == stepkey.ErrNoPasskeys)
	// Output: mira password true
}
