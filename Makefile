# make alone lists the targets. `make test` and `make storm` do all their set-up themselves.

GO ?= go

# Whoever checked the tree out need not be who builds it; git's ownership check must not stop a build.
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -buildvcs=false)

# Where things built go. Nothing else is written into the tree.
BIN := .bin

# The rooms with goroutines, for the race detector.
RACE_ROOMS ?= ./harness/... ./fixtures/codesearch/... ./fixtures/postgres/...

PACKAGES ?= ./...

# go test's own ten minutes a package are too few where processes start slowly: the command's scripts start thousands.
TIMEOUT ?= 40m
FUZZTIME ?= 30s
BENCH ?= .

# A storm or a replay that names its own PostgreSQL needs none set up.
setup_postgres = $(if $(findstring --postgres,$(ARGS)),,sh .ci/setup-postgres)

.DEFAULT_GOAL := help
.PHONY: help test storm replay selftest kill-matrix determinism lint race image build fuzz bench performance report clean ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

test: ## set up what is needed and run every test (PACKAGES=./... TESTFLAGS=)
	@sh .ci/setup-postgres
	$(strip $(GO) test -timeout $(TIMEOUT) $(TESTFLAGS) $(PACKAGES))

storm: build ## stress the reference service (FAULT=id BUDGET=30s SEED=n ARGS='more flags')
	@$(setup_postgres)
	@$(BIN)/tenantstorm storm $(if $(FAULT),--seeded-fault $(FAULT)) $(if $(BUDGET),--budget $(BUDGET)) $(if $(SEED),--seed $(SEED)) $(ARGS)

replay: build ## run a repro again (FILE=path ARGS='--times 10')
	@$(if $(FILE),:,echo 'usage: make replay FILE=path/to/repro.txtar' >&2; exit 2)
	@$(setup_postgres)
	@$(BIN)/tenantstorm replay $(ARGS) $(FILE)

selftest: build ## search for every seeded fault from one seed, 10 s each, and in the clean service (ARGS='more flags')
	@$(setup_postgres)
	@$(BIN)/tenantstorm selftest --seeds 1 --budget 10s $(ARGS)

kill-matrix: build ## the same from ten seeds, a minute each, written to docs/performance/: takes an hour or so (OUT=dir ARGS='--seeds 20')
	@$(setup_postgres)
	@$(BIN)/tenantstorm selftest --seeds 10 --budget 1m --class sequential --markdown $(or $(OUT),docs/performance)/kill-matrix.md $(ARGS)
	@$(BIN)/tenantstorm selftest --seeds 10 --budget 1m --class interleaving,fault --markdown $(or $(OUT),docs/performance)/kill-matrix-races.md $(ARGS)

determinism: build ## find interleavings and replay each with its steps compared, another process keeping a core busy (TIMES=1000 SCHEDULES=50 FAULTS='dup-create late-cancel' ARGS='--seeds 5')
	@$(setup_postgres)
	@BIN=$(BIN) TIMES=$(or $(TIMES),1000) SCHEDULES=$(or $(SCHEDULES),50) FAULTS='$(FAULTS)' bash .ci/determinism $(ARGS)

lint: ## run the linter, at the version pinned in .ci/lint
	@sh .ci/golangci-lint run $(PACKAGES)

race: ## run the tests of the concurrent rooms under the race detector
	@sh .ci/setup-postgres
	$(strip $(GO) test -race -timeout $(TIMEOUT) $(TESTFLAGS) $(RACE_ROOMS))

image: ## build the Docker image postgres:<major>-local from this machine's binaries, offline
	@bash fixtures/postgres/image/from-host.sh

build: ## build the command into .bin/tenantstorm
	@mkdir -p $(BIN)
	@$(GO) build -o $(BIN)/tenantstorm ./cmd/tenantstorm

fuzz: ## run every fuzz target in turn (FUZZTIME=30s each)
	@sh .ci/setup-postgres
	@GO='$(GO)' sh .ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks (BENCH=regexp)
	@sh .ci/setup-postgres
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(TESTFLAGS) $(PACKAGES)

performance: ## measure everything and write docs/performance/ (ARGS='-soak 10m -postgres auto'); takes ten minutes or so
	@sh .ci/setup-postgres --binaries
	@mkdir -p $(BIN)
	@$(GO) build -o $(BIN)/performance ./cmd/internal/performance
	@$(BIN)/performance -out docs/performance $(ARGS)

report: build ## measure index, search, stress and tune, compare, and write docs/performance/v2-performance-report.md and .html (OUT=dir ARGS='--quick'); takes some minutes
	@$(setup_postgres)
	@$(BIN)/tenantstorm report --out $(or $(OUT),docs/performance) $(ARGS)

clean: ## remove what make built
	rm -rf $(BIN)

ci: ## do everything CI does
	@bash .ci/run
