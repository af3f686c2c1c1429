# Every target does its own set-up; a second run finds it done.
NODE := .cache/bin/node
# Tools keep their caches here, not in the home directory.
export XDG_CACHE_HOME := $(CURDIR)/.cache
.DEFAULT_GOAL := help
.PHONY: help setup check fix test demo lab bench chaos fuzz interop schema docs clean
BENCHES := allocator attack bgp-codec bgp-convergence bgp-memory config controller failover membership neighbour resync service-latency

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Debian packages, Node 24, npm packages; done by every other target
	@scripts/setup.sh

demo: setup ## the whole program on one machine, a tour of two minutes
	@lab/world $(NODE) lab/demo.ts

lab: setup ## the same lab with a shell inside, where kubectl, birdc and curl work
	@lab/world $(NODE) lab/shell.ts

check: setup ## types, lint, walls, dead exports, unit tests: under a minute
	@$(NODE) node_modules/.bin/tsc --noEmit
	@node_modules/.bin/biome check --error-on-warnings .
	@$(NODE) node_modules/.bin/knip --no-progress
	@$(NODE) --test --test-reporter=spec 'test/unit/**/*.test.ts' 'test/replay/*.test.ts'

fix: setup ## format the code and apply the linter's safe fixes
	@node_modules/.bin/biome check --write .

ifdef FILE
test: setup
	@$(NODE) test/run.ts $(FILE)
else
test: check ## check, then real routers, real kernels, the lab; FILE=PATH… runs only those files
	@$(NODE) test/run.ts test/interop/*.test.ts test/e2e/*.test.ts
endif

bench: setup ## every figure in docs/, measured; NAME=failover… measures only those
	@set -e; for name in $(or $(NAME),$(BENCHES)); do printf '\n── %s\n' $$name; lab/world $(NODE) --expose-gc bench/$$name.ts; done

chaos: setup ## bursts of faults against the whole lab; BURSTS=200 SEED=1
	@lab/world $(NODE) test/chaos/run.ts --bursts $(or $(BURSTS),200) --seed $(or $(SEED),1)

fuzz: setup ## entrances of foreign octets against millions of inputs
	@$(NODE) test/fuzz/main.ts

interop: setup ## real routers only, and docs/reference/interop.md from their results
	@rm -rf .cache/interop
	@BELLMAN_INTEROP_REPORT="$(CURDIR)/.cache/interop" $(NODE) test/run.ts test/interop/matrix-*.test.ts
	@$(NODE) test/interop/report.ts .cache/interop > docs/reference/interop.md

schema: setup ## write config/schema.json from its definition in the code
	@$(NODE) scripts/config-schema.ts

docs: setup ## write the generated pages of docs/reference/ from the code
	@$(NODE) scripts/reference.ts

clean: ## remove what set-up installed
	@rm -rf node_modules .cache dist
