# Every target does its own set-up; a second run finds it done.
NODE := .cache/bin/node
.DEFAULT_GOAL := help
.PHONY: help setup check test demo lab fuzz interop schema clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Debian packages, Node 24, npm packages; done by every other target
	@scripts/setup.sh

demo: setup ## the whole program on one machine, a tour of two minutes
	@lab/world $(NODE) lab/demo.ts

lab: setup ## the same lab with a shell inside, where kubectl, birdc and curl work
	@lab/world $(NODE) lab/shell.ts

check: setup ## types, lint, format, unit tests: under a minute
	@$(NODE) node_modules/.bin/tsc --noEmit
	@node_modules/.bin/biome check --error-on-warnings .
	@$(NODE) --test --test-reporter=spec 'test/unit/**/*.test.ts'

test: check ## check, then real routers, real kernels, and the lab end to end
	@$(NODE) test/run.ts test/interop/*.test.ts test/e2e/*.test.ts

fuzz: setup ## decoders against millions of inputs
	@$(NODE) test/fuzz/bgp.ts

interop: setup ## real routers only, and docs/reference/interop.md written anew from the run
	@rm -rf .cache/interop
	@BELLMAN_INTEROP_REPORT=$(CURDIR)/.cache/interop $(NODE) test/run.ts test/interop/matrix-*.test.ts
	@$(NODE) test/interop/report.ts .cache/interop > docs/reference/interop.md

schema: setup ## config/schema.json written anew from the definition
	@$(NODE) scripts/config-schema.ts

clean: ## forget what set-up brought
	@rm -rf node_modules .cache dist
