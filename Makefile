# Every target does its own set-up; a second run finds it done.
NODE := .cache/bin/node
UNIT := $(NODE) --test --test-reporter=spec
.DEFAULT_GOAL := help
.PHONY: help setup check test

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Debian packages, Node 24, npm packages
	@scripts/setup.sh

check: setup ## types, lint, format, unit tests
	@node_modules/.bin/tsc --noEmit
	@node_modules/.bin/biome check --error-on-warnings .
	@$(UNIT) 'test/unit/**/*.test.ts'

test: check ## everything: check, then lab and interoperability
