# Most targets run the set-up first. When everything is installed, the set-up does nothing.
NODE := .cache/bin/node
# Tools keep their caches here, not in the home directory.
export XDG_CACHE_HOME := $(CURDIR)/.cache
# Node keeps compiled code here. A daemon that runs from source then starts with a quarter of the CPU time.
export NODE_COMPILE_CACHE := $(CURDIR)/.cache/compiled
.DEFAULT_GOAL := help
.PHONY: help setup metallb build image image-test chart-test monitoring page-test check fix test kubernetes cluster conformance demo lab bench rivals chaos fuzz interop schema docs clean
BENCHES := allocator attack bfd bfd-cut bfd-node bgp-codec bgp-convergence bgp-memory config controller controller-scale drain failover footprint idle large-cluster layer2-scale link-loss membership membership-scale neighbour resync rolling scale service-latency takeover upgrade witness

help: ## print this list of targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install Debian packages, Node 24, npm packages; most other targets do this first
	@scripts/setup.sh

demo: setup ## run the whole program on this machine, a tour of two minutes
	@lab/world $(NODE) lab/demo.ts

lab: setup ## open a shell in the lab, where kubectl, birdc and curl work
	@lab/world $(NODE) lab/shell.ts

# With a process for each file, the tests of BGP and BFD take more than twice the CPU time, because each process loads the same modules. They leave
# nothing behind that another file could see, so one process runs them all. Every other folder has a process for each file.
SHARED_TESTS := test/unit/{bfd,bgp}/**/*.test.ts
OTHER_TESTS := 'test/unit/*.test.ts' 'test/unit/!(bfd|bgp)/**/*.test.ts' 'test/replay/*.test.ts'
check: setup ## check types, lint, import walls, dead exports, unit tests: three minutes on two cores
	@$(NODE) node_modules/.bin/tsc --noEmit
	@$(NODE) node_modules/.bin/tsc --noEmit --project src/page/browser
	@node_modules/.bin/biome check --error-on-warnings .
	@$(NODE) node_modules/.bin/knip --no-progress
	@failed=0; \
	$(NODE) --test --test-isolation=none --test-reporter=spec '$(SHARED_TESTS)' || failed=1; \
	$(NODE) --test --test-concurrency=3 --test-reporter=spec $(OTHER_TESTS) || failed=1; \
	exit $$failed

fix: setup ## format the code and apply the linter's safe fixes
	@node_modules/.bin/biome check --write .

# The labs of the tests have no network, so MetalLB is built before they start. Where the build fails, the tests of takeovers are skipped.
METALLB_VERSION := v0.12.1
export BELLMAN_METALLB := $(shell lab/metallb/build.sh --folder)
metallb:
	@lab/metallb/build.sh $(METALLB_VERSION) >/dev/null || echo 'tests of takeovers: SKIPPED: MetalLB cannot be built (see above)'

# The program as it is shipped starts with a third of the CPU time that it needs from source. The tests start it hundreds of times.
WITH_BUILD := BELLMAN_PROGRAM="$(CURDIR)/dist/bellman"

ifdef FILE
test: setup $(if $(findstring takeover,$(FILE)),metallb)
	@$(NODE) test/run.ts $(FILE)
else
test: check metallb build ## check, then test with real routers, real kernels, the lab; FILE=PATH… runs only these files, from source
	@$(WITH_BUILD) $(NODE) test/run.ts test/interop/*.test.ts test/e2e/*.test.ts
endif

# The folder of the audit logs, which the last step of the target judges.
AUDIT := $(CURDIR)/.cache/audit
# Each file starts a control plane and waits for most of the time, so six files keep two processors busy.
kubernetes: METALLB_VERSION := v0.16.1
kubernetes: setup $(if $(FILE),$(if $(findstring takeover,$(FILE)),metallb),metallb build) ## run the end-to-end tests with etcd, kube-apiserver and kube-proxy, built on the first run in 12 minutes; FILE=PATH…
	@set -eu; BELLMAN_KUBERNETES=$$(lab/kubernetes/build.sh); export BELLMAN_KUBERNETES BELLMAN_AUDIT="$(AUDIT)"; rm -rf "$(AUDIT)"; \
	tests=0; $(if $(FILE),,$(WITH_BUILD)) $(NODE) test/run.ts --jobs 6 $(or $(FILE),test/e2e/*.test.ts) || tests=$$?; \
	$(NODE) lab/kubernetes/audit-report.ts $(if $(FILE),,--complete) "$(AUDIT)" && exit $$tests

# This target does not depend on `setup`, because the script first checks whether this user may run it.
cluster: ## as root: install Bellman in a cluster with kubelets and containerd, and test it there; INSTALL=helm takes the chart
	@rm -rf "$(AUDIT)-cluster"; BELLMAN_AUDIT="$(AUDIT)-cluster" BELLMAN_CLUSTER_INSTALL="$(INSTALL)" \
	lab/cluster/run $(NODE) --test --test-reporter=spec test/cluster/*.test.ts && $(NODE) lab/kubernetes/audit-report.ts "$(AUDIT)-cluster"

# This target does not depend on `setup`, because its script first checks whether this user may run it.
conformance: ## as root: run Kubernetes' own tests of Services in such a cluster, and write docs/reference/conformance.md; FOCUS=REGEX runs only the tests that match
	@rm -rf "$(AUDIT)-conformance"; BELLMAN_AUDIT="$(AUDIT)-conformance" lab/conformance/run $(if $(FOCUS),--focus '$(FOCUS)') && \
	$(NODE) lab/kubernetes/audit-report.ts "$(AUDIT)-conformance"

image: ## build the image for amd64 and arm64 into dist/image; ARCH=amd64 builds only this one, IMAGE=registry.example/bellman names it
	@scripts/image/build.sh $(if $(ARCH),--arch $(ARCH)) $(if $(IMAGE),--name $(IMAGE))

image-test: image ## build the image twice, and test it with programs of other projects
	@scripts/debian.sh skopeo:skopeo umoci:umoci
	@$(NODE) --test --test-reporter=spec test/image/image.test.ts

chart-test: setup ## check the Helm chart with Helm, which is built once with Go
	@HELM=$$(scripts/helm/build.sh) && export HELM && BELLMAN_KUBERNETES=$$(lab/kubernetes/build.sh --folder) $(NODE) test/run.ts test/chart/*.test.ts

monitoring: setup ## install Prometheus, and test metrics, alerts and dashboards with it, alone and in the lab
	@scripts/debian.sh prometheus:prometheus promtool:prometheus
	@$(NODE) test/run.ts test/monitoring/*.test.ts

page-test: setup ## test the web page with headless Chromium, which it installs; SHOTS=FOLDER keeps the screenshots
	@scripts/debian.sh chromium:chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf:fonts-dejavu-core
	@BELLMAN_SHOTS="$(SHOTS)" $(NODE) test/run.ts test/page/*.test.ts

build: setup ## write the program to dist/, as it is shipped
	@$(NODE) scripts/build.ts

bench: build $(if $(findstring takeover,$(or $(NAME),$(BENCHES))),metallb) ## measure the figures in docs/ that need neither Kubernetes nor rivals; NAME=failover… runs only these programs
	@set -e; for name in $(or $(NAME),$(BENCHES)); do printf '\n── %s\n' $$name; BELLMAN_PROGRAM="$(CURDIR)/dist/bellman" lab/world $(NODE) --expose-gc bench/$$name.ts; done

rivals: build ## measure beside MetalLB (built with Go) and write the page; NAME=start,failover measures only these tables; ROUNDS=3
	@$(NODE) bench/rivals/main.ts --only '$(NAME)' --rounds $(or $(ROUNDS),3)

chaos: setup ## inject bursts of faults into the whole lab; BURSTS=200 SEED=1
	@lab/world $(NODE) test/chaos/run.ts --bursts $(or $(BURSTS),200) --seed $(or $(SEED),1)

fuzz: setup ## feed millions of inputs to all code that reads octets from outside
	@$(NODE) test/fuzz/main.ts

interop: setup ## test with real routers only, and write docs/reference/interop.md from the results
	@rm -rf .cache/interop
	@BELLMAN_INTEROP_REPORT="$(CURDIR)/.cache/interop" $(NODE) test/run.ts test/interop/matrix-*.test.ts
	@$(NODE) test/interop/report.ts .cache/interop > .cache/interop.md
	@mv .cache/interop.md docs/reference/interop.md

schema: setup ## write config/schema.json and the generated files of the chart from their definitions in the code
	@$(NODE) scripts/config-schema.ts
	@$(NODE) scripts/chart.ts

docs: setup ## write the generated pages of docs/reference/ from the code
	@$(NODE) scripts/reference.ts

clean: ## remove what the set-up installed in this folder, and dist
	@rm -rf node_modules .cache dist
