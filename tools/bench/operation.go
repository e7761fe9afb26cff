package main

import (
	"context"
	"net/http"
)

// guardedRoute is the operation that compares algorithms.
const guardedRoute = "GET /users/histories"

// operation is the same work done by both servers. The process ids of the loads
// are filled in by who runs them.
type operation struct {
	name       string
	ours, bare load
}

// operations returns what is measured: the service under loaders, and the bare
// server under requests of the same form and size.
func operations(loaders []*person, bare *server, step exchange) []operation {
	clients := make([]*http.Client, len(loaders))
	for i := range clients {
		clients[i] = oneConnection()
	}

	guarded := func(path string) operation {
		return operation{
			name: "GET " + path,
			ours: load{n: guardedCalls, workers: len(loaders), do: func(ctx context.Context, worker int) error {
				_, err := loaders[worker].call(ctx, loaders[worker].full, "GET", path, nil)
				return err
			}},
			bare: load{n: guardedCalls, workers: len(clients), do: func(ctx context.Context, worker int) error {
				_, err := send(ctx, clients[worker], bare.url, loaders[worker].full, "GET", path, nil)
				return err
			}},
		}
	}
	stepUp := operation{
		name: "step-up (options + verify)",
		ours: load{n: stepUps, workers: len(loaders), do: func(ctx context.Context, worker int) error {
			_, err := loaders[worker].stepUp(ctx)
			return err
		}},
		bare: load{n: stepUps, workers: len(clients), do: func(ctx context.Context, worker int) error {
			token := loaders[worker].login
			if _, err := send(ctx, clients[worker], bare.url, token, "GET", "/passkeys/authenticate/options", nil); err != nil {
				return err
			}
			_, err := send(ctx, clients[worker], bare.url, token, "POST", "/passkeys/authenticate/verify", step.assertion)
			return err
		}},
	}
	login := operation{
		name: "login (beside one argon2id hash)",
		ours: load{n: logins, workers: 1, do: func(ctx context.Context, _ int) error {
			_, err := loaders[0].logIn(ctx)
			return err
		}},
		bare: load{n: logins, workers: 1, do: func(ctx context.Context, _ int) error {
			_, err := send(ctx, clients[0], bare.url, "", "POST", "/auth/login", loaders[0].credentials())
			return err
		}},
	}
	refresh := operation{
		name: "refresh",
		ours: load{n: refreshes, workers: len(loaders), do: func(ctx context.Context, worker int) error {
			_, err := loaders[worker].refresh(ctx)
			return err
		}},
		bare: load{n: refreshes, workers: len(clients), do: func(ctx context.Context, worker int) error {
			_, err := send(ctx, clients[worker], bare.url, "", "POST", "/auth/refresh", loaders[worker].renewalBody())
			return err
		}},
	}
	return []operation{guarded("/users/histories"), guarded("/users/profile"), refresh, stepUp, login}
}
