# Every target is one line that can be typed by hand. `make` alone lists them.

.PHONY: help build generate test race check containers traefik faults reliability bench performance screenshots

# More flags for go test, such as TESTFLAGS='-run StepUp -v'.
TESTFLAGS =

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.* ## /  make \1\t/p' Makefile | expand -t 20

build: ## build the static binary bin/stepkey
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/stepkey ./cmd/stepkey

generate: ## build the minified browser scripts, and assemble openapi.json
	go -C tools run ./webscripts
	go test ./httpapi -count=1 -run TestDocumentIsCurrent -args -update

# The modules below examples/, one after the other.
EXAMPLES = $(dir $(wildcard examples/*/go.mod))

# Packages of e2e drive servers, databases and a browser: one at a time, or the machine is busy with the tests.
test: ## set up what the tests need and run them: unit, store, API and browser tests, and those of the examples
	tools/setup
	go test -timeout 30m $(TESTFLAGS) ./...
	go -C tools test $(TESTFLAGS) ./...
	go -C e2e test -p 1 -timeout 30m $(TESTFLAGS) ./api ./browser ./ceremony ./drivers ./gate ./inbox ./proxy
	for example in $(EXAMPLES); do go -C $$example test -p 1 $(TESTFLAGS) ./... || exit 1; done

# The race detector leaves out SQLite itself, translated from C, which would take five sixths of the time.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc/...=-race=false

race: ## the unit and store tests again, with the race detector and ten times as many games of the model
	tools/setup
	go test $(RACE) -p 2 -timeout 30m $(TESTFLAGS) ./...
	go test $(RACE) -run RefreshModel -timeout 30m $(TESTFLAGS) . -args -rapid.checks=300

check: ## format and vet in all modules, and staticcheck in all but the examples
	go -C tools build -o ../bin/ tool
	@unformatted=$$(bin/gofumpt -l .); [ -z "$$unformatted" ] || { echo "not in gofumpt's format (bin/gofumpt -w .):"; echo "$$unformatted"; exit 1; }
	go vet ./... && go -C tools vet ./... && go -C e2e vet -tags containers ./...
	for example in $(EXAMPLES); do go -C $$example vet ./... || exit 1; done
	bin/staticcheck ./... && cd tools && ../bin/staticcheck ./... && cd ../e2e && ../bin/staticcheck -tags containers ./...

containers: ## run compose.yaml in a Docker engine of its own, or say why this machine cannot
	go -C e2e test -count=1 -tags containers -v -timeout 40m $(TESTFLAGS) ./containers

traefik: ## compile Traefik, which takes ten minutes, and send the bypass corpus through it
	tools/traefik bin/traefik
	go -C e2e test -count=1 -timeout 20m $(TESTFLAGS) ./gate -args -traefik $(CURDIR)/bin/traefik

faults: ## break the service's dependencies, a few seconds for each fault
	tools/setup
	go -C e2e test -timeout 20m $(TESTFLAGS) ./faults

reliability: ## the same for half an hour, on a quiet machine, and write docs/reliability.md
	go -C e2e test -count=1 -timeout 60m $(TESTFLAGS) ./faults -args -long -report ../../docs/reliability.md

bench: ## measure CPU, memory and start beside bare handlers, as a Markdown table
	go -C tools run ./bench

performance: ## the same, the gate and package stepup, on a quiet machine, into docs/performance.md with plots
	go -C tools run ./bench -report ../docs/performance.md

screenshots: ## take pictures of the page in Chromium
	cd e2e && go run ./browser/screenshots
