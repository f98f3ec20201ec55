# Every target runs from a fresh clone with Go and make; `make help` lists them.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)
LDFLAGS := -s -w -X main.version=$(VERSION)

# The race detector needs a C compiler; where there is none the tests run without it.
RACE = $(if $(shell command -v "$$(go env CC)" 2>/dev/null),-race)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.PHONY: help dev build install test torture lint bench fuzz audit deploy smoke

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: build ## start the listener with a key, a certificate and a database of its own in .dev
	@./bin/listener dev

build: ## build bin/listener, one static binary
	@test -x bin/listener || echo 'The first build compiles SQLite: about two minutes on two cores. Each package is named when its turn comes.'
	CGO_ENABLED=0 go build -v -trimpath -ldflags '$(LDFLAGS)' -o bin/listener ./localdev

install: ## install what was built as a service of systemd; [DESTDIR=… PREFIX=/usr/local]
	@bash infra/systemd/install.sh install

test: lint ## lint, then all tests, with real PHP and PostgreSQL where they can be had
	bash testdata/tools/install.sh
	go test $(RACE) -shuffle=on -timeout 15m ./...

torture: ## the long form of the tests that try to make the listener lose a record, hours; [ARGS='-run Power']
	-bash testdata/tools/install.sh libsql
	@bash testdata/ran.sh 'ARGS must name one of the tests in localdev/torture' go test ./localdev/torture -count=1 -v -timeout 8h -long $(ARGS)

# What lint compiles is what build compiles, so that the packages, SQLite above all, are compiled once for both.
lint: export CGO_ENABLED := 0
lint: export GOFLAGS := -trimpath
lint: ## gofmt, go vet, staticcheck, and a tidy go.mod
	@unformatted=$$(gofmt -l .) || exit 1; test -z "$$unformatted" || { echo "run gofmt -w on: $$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff

bench: RECORDS ?= 1000000
bench: ## measure the listener beside its peers, pages with the PHP agent, PostgreSQL with its agent, and looking at what is stored, some ten minutes; [ARGS='-rounds 3 -only single -rows 1000000' RECORDS=10000000]
	bash testdata/tools/install.sh bun wrk php phpsite postgres
	go run ./testdata/peers/compare $(ARGS)
	go test ./localdev/phpagent -run '^$$' -bench Pages -benchtime 500x
	go test ./localdev/postgresagent -run '^$$' -bench Pgbench -benchtime 5x
	go test ./localdev -run '^$$' -bench LookPage -benchtime 100x
	go test ./shared/store/sqlite -run '^$$' -bench 'Flush|View' -benchtime 20x -timeout 2h -records $(RECORDS)
	go test ./localdev -run '^$$' -bench IngestBesidePages -benchtime 1x

fuzz: ## let each fuzz test look for new inputs, 30 s each
	@all=$$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' functions localdev shared | sed -E 's|/[^/]*:func |:|'); \
	test -n "$$all" || { echo "there is no fuzz test in functions, localdev and shared" >&2; exit 1; }; \
	for at in $$all; do echo "$$at"; \
		go test -run '^$$' -fuzz "^$${at#*:}\$$" -fuzztime 30s -fuzzminimizetime 1s ./$${at%:*} || exit 1; done

# The list is read from the binary itself, in CycloneDX. vuln.go.dev is asked about what is called.
audit: build ## write bin/listener.cdx.json, what bin/listener is made of, and look for known vulnerabilities
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0 bin -json -std -noserial -version '$(VERSION)' -output bin/listener.cdx.json bin/listener
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

deploy: export SAM_CLI_TELEMETRY = 0
deploy: ## build the Lambda functions and deploy them to AWS; infra/aws.md says what it needs
	bash testdata/tools/install.sh sam
	VERSION='$(VERSION)' .tools/sam/bin/sam build --build-in-source --parallel
	.tools/sam/bin/sam deploy --guided

smoke: PROJECT ?= shop
smoke: ## hold a deployed listener against the contract: URL=… KEY=… [PROJECT=shop POSTGRES_URL=… HEALTH_URL=…]
	@test -n '$(strip $(URL))' && test -n '$(strip $(KEY))' || { echo "make smoke needs the listener's address and a key of it: make smoke URL=https://… KEY=…" >&2; exit 1; }
	@bash testdata/ran.sh 'TestContract/deployed is not there' go test ./localdev -count=1 -v -run '^TestContract$$/^deployed$$' -url '$(URL)' -postgres-url '$(POSTGRES_URL)' \
		-health-url '$(HEALTH_URL)' -key '$(KEY)' -project '$(PROJECT)'

# What sam build calls for each function of template.yaml, by its name there. That may be in a copy without .git,
# so the version is handed down. The runtime's old RPC interface, which is not built, would be a quarter more.
build-%Function:
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -trimpath -tags lambda.norpc -ldflags '$(LDFLAGS)' \
		-o '$(or $(ARTIFACTS_DIR),$(error set ARTIFACTS_DIR: sam build does))/bootstrap' ./functions/$(shell echo $* | tr A-Z a-z)/lambda
