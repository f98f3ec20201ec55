# Every target runs from a fresh clone with Go and make; `make help` lists them.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs a C compiler; where there is none the tests run without it.
RACE := $(if $(shell command -v "$$(go env CC)" 2>/dev/null),-race)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.PHONY: help dev build test lint bench fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: build ## start the listener with a key, a certificate and a database of its own in .dev
	@./bin/listener dev

build: ## build bin/listener, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/listener ./localdev

test: lint ## lint, then all tests, with real PHP and PostgreSQL where they can be had
	bash testdata/agents/install.sh
	go test $(RACE) -shuffle=on -timeout 15m ./...

lint: ## gofmt, go vet, staticcheck, and a tidy go.mod
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff

bench: ## time the parts and the whole
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## let each fuzz test look for new inputs, 30 s each
	for target in FuzzScan FuzzRecord FuzzLines; do go test -run '^$$' -fuzz "^$$target\$$" -fuzztime 30s ./shared/record || exit 1; done
