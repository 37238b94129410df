# `make demo` and `make test` do all their own set-up; they need Python 3.11 or newer with venv and pip, make and git.

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
SECONDS ?= 0
WORKERS ?= 4
PYTEST := $(BIN)/python -m pytest --dist worksteal --numprocesses
EVERYDAY := not slow and not process
HALF := tests/api tests/ticker tests/timetable tests/web tests/worker
OF_VERSIONS := $(EVERYDAY) and not text
INSTALL := pip install --quiet --disable-pip-version-check

.PHONY: help demo test check coverage mutants fuzz api lint all-tests everyday everyday-half everyday-rest lowest pythons thorough docs screenshots format benchmark figures clean

help: ## Say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/demo ## Send the day's reminders: clock and worker on an embedded Valkey, until Ctrl-C (or SECONDS=20)
	@$(BIN)/python -m db.load
	@$(BIN)/python bin/demo.py --seconds $(SECONDS)

test: .venv/dev ## Lint, types and all tests
	@$(MAKE) --no-print-directory -j2 lint all-tests

check: .venv/dev ## The everyday run: lint, types, and the tests that start no program and take no time
	@$(MAKE) --no-print-directory -j3 lint everyday

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

all-tests: .venv/dev
	CLOCK_EXAMPLES=full $(PYTEST) $(WORKERS) --durations=20

everyday: everyday-half everyday-rest # two processes without xdist, whose messages cost as much as a short test

everyday-half: .venv/dev
	$(BIN)/python -m pytest -q -m "$(EVERYDAY)" $(HALF)

everyday-rest: .venv/dev
	$(BIN)/python -m pytest -q -m "$(EVERYDAY)" $(HALF:%=--ignore=%)

lowest: .versions/lowest.built ## The everyday tests with the lowest versions that pyproject.toml allows, on another Python if there is one
	@.ci/test_versions lowest "$(OF_VERSIONS)"

pythons: .versions/pythons.built ## The everyday tests with the other supported Pythons on this machine
	@.ci/test_versions pythons "$(OF_VERSIONS)"

thorough: .venv/dev ## Eight times as many examples, each night of each zone, a year's rehearsal, a month of restarts, the long faults, real starts
	CLOCK_EXAMPLES=many $(PYTEST) $(WORKERS) --timeout=3840 tests/timetable tests/ticker tests/rehearsal tests/worker tests/process tests/test_stress.py

coverage: .venv/dev ## The lines and branches of clock/ that no test reaches: make coverage TESTS='tests/job -m "not slow"'
	@rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m pytest --dist worksteal --numprocesses $(WORKERS) $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: .venv/dev ## Change the code, and see whether a test fails: make mutants FILES=clock/ticker/release.py (or FILES="--again ...")
	@$(BIN)/python .ci/mutants $(FILES)

fuzz: .venv/fuzz ## Fuzz the readers of data that others write, for an hour each: make fuzz TARGET=cron SECONDS=600
	$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(if $(filter-out 0,$(SECONDS)),$(SECONDS),3600)

api: .venv/dev ## Write tests/public_api.txt: the names and signatures that applications use
	$(BIN)/python -m pytest -q tests/test_public_api.py --clock-update

docs: .venv/dev ## Build the documentation site in build/site, and check its links and spelling (needs no network)
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md docs clock examples
	$(BIN)/sphinx-build -W --keep-going -q -c docs/site docs build/site
	$(BIN)/sphinx-build -q -b man -c docs/site docs build/man
	@echo "Open build/site/index.html, or: man build/man/clock.1"

screenshots: .venv/dev ## Write the pictures of the dashboard to docs/images/ (needs Debian's chromium)
	$(BIN)/python -m tests.web.screenshots

format: .venv/dev ## Put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: .benchmarks/all ## Measure, as ratios to peers and to the raw cost of Redis, and write build/benchmark.md
	@mkdir -p build
	@set -o pipefail; { .benchmarks/bin/python -m benchmarks.workers.machine; for benchmark in benchmarks/*.py; do \
		echo; echo "$$benchmark"; .benchmarks/bin/python $$benchmark || failed="$$failed $$benchmark"; done; \
		test -z "$$failed" || { echo; echo "Failed benchmarks:$$failed"; exit 1; }; } | tee build/benchmark.md

figures: .venv/dev ## Read the figures of build/benchmark.md, and write them into README and docs
	@$(BIN)/python -m benchmarks.figures build/benchmark.md

clean: ## Remove what was made, data included
	rm -rf .venv .benchmarks .versions .clock tmp db/app.sqlite3* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

.venv/fuzz: .venv/dev
	@$(BIN)/$(INSTALL) "atheris>=2.3" || echo "atheris cannot be installed here: data is changed at random instead"
	@touch $@

.benchmarks/all: .venv/bin/python pyproject.toml
	@echo "Installing what is measured beside clock..."
	@.venv/bin/python -m venv .benchmarks
	@.benchmarks/bin/$(INSTALL) --editable '.[benchmarks]'
	@.benchmarks/bin/$(INSTALL) --target .benchmarks/apscheduler4 'apscheduler==4.0.0a6' # excludes the third version
	@touch $@

.versions/%.built: .venv/dev
	@.ci/test_versions build_$*
	@touch $@

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found. Name one: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11"; exit 1; }
	@$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml packaging/*.p*
	@echo "Installing..."
	@$(BIN)/$(INSTALL) --editable '.[embedded,web]'
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml $(wildcard packaging/*)
	@echo "Installing what testing needs..."
	@$(BIN)/$(INSTALL) uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[dev]' || $(BIN)/$(INSTALL) --editable '.[dev]'
	@$(BIN)/python -m compileall -q clock # else each of many processes that start at once compiles it
	@touch $@ .venv/demo
