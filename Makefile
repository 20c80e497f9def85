# One verb set for people and CI; "make help" lists it. Nothing here needs an activated environment.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/pip --disable-pip-version-check
# The public chains and OpenSSL's verdicts on them: docs/reference/conformance.md.
LIMBO ?= ../shared/limbo
FUZZ_READY := .venv/.fuzz-ready
FUZZ_SECONDS ?= 600
# The peers are Debian's builds, so the interpreter is too, where there is one.
BENCH_PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))
BENCH_READY := .venv-bench/.ready
SOAK_SECONDS ?= 600
UV_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: soak help setup setup-system setup-optional demo test lint type cov conformance differential fuzz bench bench-full docs build lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with all that requirements.lock pins, and this project in it

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is " + sys.version.split()[0] + ": Python 3.11 or later is needed (make setup PYTHON=python3.12)")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo 'the venv module is missing: make setup-system' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --no-deps --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	$(PIP) check
	@touch $@

setup-system: ## install the Debian packages that make build and some tests need (root or sudo)
	tools/install-packages packages.txt

setup-optional: ## install the Debian packages that make differential and bench need (root or sudo)
	tools/install-packages packages-optional.txt
	@echo 'Debian may have started servers among them as services, which nothing here needs.'

demo: $(READY) ## show an MRA login fail with 502 and each documented fix repair it
	$(BIN)/mralab demo

test: $(READY) ## run the unit and integration tests
	$(BIN)/pytest -q

lint: $(READY) docs ## check style, import rules, lock files and docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python tools/check_locks.py

type: $(READY) ## check types, strictly, in tests and tools too
	$(BIN)/mypy -p mralab
	$(BIN)/mypy tests tools bench

cov: $(READY) ## run the tests and check branch coverage: 95 % overall, 100 % of pure modules
	$(BIN)/pytest -q --cov --cov-report=term --cov-report=json:build/coverage.json --cov-fail-under=95
	$(BIN)/python tools/check_coverage.py build/coverage.json

conformance: $(READY) ## compare our verdicts on 9,851 public chains with OpenSSL's (LIMBO=folder)
	PYTHONPATH=. $(BIN)/python -P -m tests.conformance.run "$(LIMBO)"

differential: $(READY) ## compare us with a real Apache Traffic Server, where one is installed
	PYTHONPATH=. $(BIN)/python -P -m tests.differential.run

fuzz: $(FUZZ_READY) ## feed made-up bytes to all that takes bytes from outside (FUZZ_SECONDS for each)
	PYTHONPATH=. $(BIN)/python -P -m tests.fuzz.run $(FUZZ_SECONDS)

$(FUZZ_READY): requirements-fuzz.lock $(READY)
	$(PIP) install --quiet --no-deps --require-hashes -r requirements-fuzz.lock
	$(PIP) check
	@touch $@

soak: $(READY) ## ten minutes of mixed traffic: memory flat, every request accounted for (SOAK_SECONDS)
	PYTHONPATH=. $(BIN)/python -P -m tests.soak.run --seconds $(SOAK_SECONDS)

bench: $(BENCH_READY) ## compare speed with C and C++ proxies on one core, core loads (about 13 minutes)
	PYTHONPATH=. .venv-bench/bin/python -P -m bench $(OPTIONS)

bench-full: $(BENCH_READY) ## the same with all loads (about 35 minutes)
	PYTHONPATH=. .venv-bench/bin/python -P -m bench --loads all --peers all $(OPTIONS)

$(BENCH_READY): requirements.lock pyproject.toml
	$(BENCH_PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip --disable-pip-version-check install --quiet --no-deps --require-hashes -r requirements.lock
	.venv-bench/bin/pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
	.venv-bench/bin/pip --disable-pip-version-check check
	@touch $@

docs: $(READY) ## check links, and the form of the decision records
	$(BIN)/python tools/check_docs.py

build: $(READY) ## build sdist and wheel; check the wheel, docker-compose.yml and the Dockerfile's steps
	rm -rf dist
	$(BIN)/pyproject-build --no-isolation --outdir dist
	$(BIN)/python tools/check_build.py dist
	@command -v docker-compose >/dev/null || { echo 'docker-compose is missing: make setup-system' >&2; exit 1; }
	docker-compose --file docker-compose.yml config --quiet
	$(BIN)/mralab lab compose | docker-compose --file - config --quiet

lock: ## pin anew what pyproject.toml asks for (needs uv on the PATH)
	uv pip compile $(UV_FLAGS) --group dev --output-file requirements.lock pyproject.toml
	uv pip compile $(UV_FLAGS) --constraints requirements.lock --output-file requirements-runtime.lock pyproject.toml
	uv pip compile $(UV_FLAGS) --constraints requirements.lock --group fuzz --output-file requirements-fuzz.lock

clean: ## remove what the other targets made, except .venv and .venv-bench
	rm -rf build dist htmlcov .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
