# Every target sets up .venv itself, from the hashed lock; a second call is instant.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# One folder for all downloads. You can share it between clones, or remove it.
export PILOTFISH_CACHE ?= $(HOME)/.cache/pilotfish
export PIP_CACHE_DIR ?= $(PILOTFISH_CACHE)/pip
export PYTHONNOUSERSITE := 1
# Keep bytecode even if the environment forbids it: tests start hundreds of processes, and pytest rewrites assertions.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
READY := .venv/.ready
LINKS := build/tree/pilotfish
TYPINGS := build/typings/.ready
# The modules, and their folders: a folder's time changes when a module is removed.
MODULES := $(shell find detectors sidecar -name __pycache__ -prune -o \( -type d -o -name '*.py' \) -print)
# Tests often wait for processes, so one worker more than there are cores keeps the cores busy.
WORKERS ?= $(shell echo $$(($$(nproc) + 1)))
# A process under test has a low priority, and the workers' simulations take the cores: waits end late, not never.
export PILOTFISH_TEST_PATIENCE ?= 4
HOURS ?= 1
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
# The tests of a real API server: each worker starts a control plane of its own, and mostly waits for it.
# The others go by loadgroup, which keeps tests that share a costly scene in one worker.
CLUSTER := tests/helm tests/kube tests/settings tests/control tests/e2e/control
COMPILE := CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.PHONY: help venv demo notebook test test-long test-real test-cluster test-servers soak bench bench-control bench-detection check chart licenses sbom audit lock format generate clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 18

venv: $(READY) $(LINKS) $(TYPINGS) ## the virtual environment .venv, from .ci/locks/dev.txt

$(READY): .ci/locks/dev.txt setup.py
	@echo "Installing the packages for development into .venv: once, 1.5 GB, a minute or more without output"
	python=$$(.ci/python) && "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/locks/dev.txt
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

# mypy and import-linter follow folders, not import hooks: they read the package through three links.
$(LINKS): Makefile
	mkdir -p $@ && ln -sfn ../../../sidecar $@/sidecar && ln -sfn ../../../detectors $@/detectors
	ln -sfn ../../../sidecar/notebook/package/__init__.py $@/__init__.py && touch $@

# Language servers read the package through stubs that lead to the real files.
$(TYPINGS): .ci/typings $(MODULES) | $(READY)
	$(BIN)/python .ci/typings && touch $@

demo: venv ## the closed loop on real data, on this machine
	$(BIN)/pilotfish demo

notebook: venv ## execute docs/notebook.ipynb, and write its outputs anew
	$(BIN)/python -m tests.notebook.execute

test: venv ## the tests that need nothing beyond PyPI; the rules in tests/architecture are in `make check`
	$(PYTEST) -m "not real and not long and not node and not servers" --ignore=tests/architecture

test-long: venv ## long simulations, the kill matrix, faults in short, property-based tests with more examples
	.ci/programs
	$(PYTEST) -m "(long or hypothesis) and not real and not node and not servers" --hypothesis-profile=long

soak: venv ## long tests and faults in full: all examples, 50 kills of each process, an hour of load (HOURS=0.1 shortens it)
	.ci/programs
	SOAK=1 $(PYTEST) -m "(long or hypothesis) and not real and not node and not servers" --ignore=tests/e2e/soak --hypothesis-profile=long
	SOAK=1 SOAK_HOURS=$(HOURS) $(BIN)/python -m pytest tests/e2e/soak -m long --capture=no --verbose

test-real: venv ## the tests against real programs; as root with apt, they are installed first
	.ci/programs
	.ci/environment extras > build/extras || echo "WARNING: no environment with River and Evidently; its tests will be skipped" >&2
	.ci/kubernetes > build/kubernetes || echo "WARNING: no Kubernetes control plane; its tests will be skipped" >&2
	.ci/autoscaler > build/autoscaler || echo "WARNING: no HorizontalController of Kubernetes; the comparison with it will be skipped" >&2
	.ci/vertical > build/vertical || echo "WARNING: no VerticalPodAutoscaler; the comparison with it will be skipped" >&2
	.ci/helm > build/helm || echo "WARNING: no Helm; the tests of the chart will be skipped" >&2
	.ci/prometheus > build/prometheus || echo "WARNING: no current Prometheus and Alertmanager; tests use the system's, those of native histograms are skipped" >&2
	$(BIN)/python -m tests.support.datasets > build/datasets || true # it reports what is missing
	status=0; $(PYTEST) -m real $(CLUSTER) || status=$$?; \
	$(PYTEST) --numprocesses $(shell nproc) --dist loadgroup -m real $(addprefix --ignore=,$(CLUSTER)) && exit $$status

test-cluster: venv ## the tests on a Kubernetes node that they start: as root, with Go; all of it is built first, once (30 minutes)
	.ci/programs
	.ci/kubernetes > build/kubernetes || echo "WARNING: no Kubernetes control plane; the tests of KEDA will be skipped" >&2
	.ci/kubernetes node > build/node || echo "WARNING: no Kubernetes node; its tests will be skipped" >&2
	.ci/helm > build/helm || echo "WARNING: no Helm; the tests of the chart will be skipped" >&2
	.ci/keda > build/keda || echo "WARNING: no KEDA; its test will be skipped" >&2
	.ci/metrics-server > build/metrics-server || echo "WARNING: no metrics-server; the tests of resizing will be skipped" >&2
	$(BIN)/python -m pytest tests/cluster --timeout 600

test-servers: venv ## the tests on real servers of models with real clients: llama.cpp and MLServer; installed first, once (0.7 GB)
	.ci/programs
	.ci/environment servers > build/servers || echo "WARNING: no environment with llama.cpp and MLServer; its tests will be skipped" >&2
	$(BIN)/python -m pytest tests/servers -m servers --timeout 300

bench: venv ## the benchmark table
	.ci/programs
	$(BIN)/python -m tests.benchmarks

bench-detection: venv ## measure the promises of drift detection: 50 minutes (QUICK=1: 7 minutes; WRITE=1 writes the results into docs/)
	$(BIN)/python -m tests.support.datasets || true
	$(BIN)/python -m tests.benchmarks.detection $(if $(QUICK),--quick) $(if $(WRITE),--write)

bench-control: venv ## what a monitor with 1000 pods costs the controller, and a review the injector; scaling beside an HPA, resources beside a VPA, pools beside equal shares (25 minutes; QUICK=1: 8 minutes; WRITE=1 writes the results into docs/)
	$(BIN)/python -m tests.benchmarks.control
	$(BIN)/python -m tests.benchmarks.injector
	$(BIN)/python -m tests.support.datasets || true
	.ci/autoscaler > build/autoscaler || echo "WARNING: no HorizontalController; it is not compared" >&2
	$(BIN)/python -m tests.benchmarks.scaling $(if $(QUICK),--quick) $(if $(WRITE),--write)
	.ci/vertical > build/vertical || echo "WARNING: no VerticalPodAutoscaler; it is not compared" >&2
	$(BIN)/python -m tests.benchmarks.resizing $(if $(WRITE),--write)
	$(BIN)/python -m tests.benchmarks.pools $(if $(WRITE),--write)

check: venv ## format, lint, types, import contracts, generated files, Dockerfile
	.ci/check

format: venv ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: venv ## write the generated files anew
	$(BIN)/python -m tests.generate

chart: venv ## render the examples and the package data of the chart anew, by Helm
	.ci/helm > build/helm
	$(BIN)/python -m tests.helm.render

licenses: venv ## the licences of the runtime dependencies; fails for one that is not allowed
	$(BIN)/python .ci/supply licenses

sbom: venv ## build/sbom.json: what the runtime contains (CycloneDX)
	$(BIN)/python .ci/supply sbom

audit: venv ## known vulnerabilities of the runtime dependencies; needs a vulnerability service
	$(BIN)/python .ci/supply audit

lock: venv ## resolve the dependencies anew, into .ci/locks
	$(COMPILE) --upgrade --extra cluster --extra node --output-file .ci/locks/runtime.txt pyproject.toml
	$(COMPILE) --upgrade --constraint .ci/locks/runtime.txt --extra dev --output-file .ci/locks/dev.txt pyproject.toml
	$(COMPILE) --upgrade --constraint .ci/locks/dev.txt --output-file .ci/locks/build.txt .ci/locks/build.in
	$(COMPILE) --upgrade --output-file .ci/locks/audit.txt .ci/locks/audit.in
	$(COMPILE) --upgrade --output-file .ci/locks/servers.txt .ci/locks/servers.in
	$(COMPILE) --upgrade --constraint .ci/locks/runtime.txt --extra river --extra evidently --output-file .ci/locks/extras.txt pyproject.toml

clean: ## remove what was built
	rm -rf .venv build dist *.egg-info
