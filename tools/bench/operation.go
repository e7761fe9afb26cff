package main

import (
	"context"
	"net/http"
)

// Names of operations. The guarded route is the one that compares algorithms.
const (
	guardedRoute = "GET /users/histories"
	profileRoute = "GET /users/profile"
	refreshed    = "refresh"
	steppedUp    = "step-up (options + verify)"
	loggedIn     = "login (beside one argon2id hash)"
	introspected = "introspection"
	guardedApp   = "another app's page, behind guard"
)

// smallPath is answered by the bare server with 204 and nothing else.
const smallPath = "/small"

// operation is the same work done by both servers. The process ids of the loads
// are filled in by measureCosts.
type operation struct {
	name       string
	server     *server // that does the work in place of the service, or nil
	ours, bare load
	small      load // one small request, for routes that are one request; n is 0 for others
}

// operations returns what is measured: the service under loaders, and the bare
// server under requests of the same form and size. An application with a guard, which may be nil, is compared with
// the same one without.
func operations(loaders []*person, bare, guardedBy *server, step exchange) []operation {
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
			small: load{n: guardedCalls, workers: len(clients), do: func(ctx context.Context, worker int) error {
				_, err := send(ctx, clients[worker], bare.url, "", "GET", smallPath, nil)
				return err
			}},
		}
	}
	stepUp := operation{
		name: steppedUp,
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
		name: loggedIn,
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
		name: refreshed,
		ours: load{n: refreshes, workers: len(loaders), do: func(ctx context.Context, worker int) error {
			_, err := loaders[worker].refresh(ctx)
			return err
		}},
		bare: load{n: refreshes, workers: len(clients), do: func(ctx context.Context, worker int) error {
			_, err := send(ctx, clients[worker], bare.url, "", "POST", "/auth/refresh", loaders[worker].renewalBody())
			return err
		}},
	}
	introspection := operation{
		name: introspected,
		ours: load{n: introspections, workers: len(loaders), do: func(ctx context.Context, worker int) error {
			_, err := loaders[worker].introspect(ctx)
			return err
		}},
		bare: load{n: introspections, workers: len(clients), do: func(ctx context.Context, worker int) error {
			_, err := sendIntrospection(ctx, clients[worker], bare.url, loaders[worker].full)
			return err
		}},
	}
	list := []operation{guarded("/users/histories"), guarded("/users/profile"), refresh, stepUp, login, introspection}
	if guardedBy != nil {
		list = append(list, behindGuard(loaders, bare, guardedBy))
	}
	return list
}

// behindGuard is the same page of two applications, one of which has a guard before it.
func behindGuard(loaders []*person, bare, guardedBy *server) operation {
	page := func(of *server) load {
		clients := make([]*http.Client, len(loaders))
		for i := range clients {
			clients[i] = oneConnection()
		}
		return load{n: guardedCalls, workers: len(clients), do: func(ctx context.Context, worker int) error {
			_, err := send(ctx, clients[worker], of.url, loaders[worker].full, "GET", "/users/histories", nil)
			return err
		}}
	}
	return operation{name: guardedApp, server: guardedBy, ours: page(guardedBy), bare: page(bare)}
}
