# What a newcomer types. Everything it needs beyond Python 3.11 and make goes into .venv/, and `make clean` removes it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
DATA_DIR ?= .tenure
ARGS ?=
JSON ?=
ONLY ?=
EXAMPLES ?=

# Compiled modules are kept in their folders, which git ignores: without them each process compiles all of ours anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo run test lint check bench conformance clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.embedded ## Install everything into .venv/ (a few minutes the first time, nothing after that)

# The newest Python that will do; said in words where there is none, or one without venv.
$(BIN)/python:
	@for python in $${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do \
	  if command -v "$$python" >/dev/null 2>&1 \
	    && "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' >/dev/null 2>&1; then \
	    echo "Making $(VENV)/ with $$("$$python" --version)"; \
	    rm -rf $(VENV); \
	    "$$python" -m venv $(VENV) && exit 0; \
	    echo "$$python cannot make a virtual environment: see above (on Debian and Ubuntu, install python3-venv)." >&2; \
	    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "Tenure needs Python 3.11 or later, and found none. Install one, or name it: make PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(VENV)/.locked: requirements.lock | $(BIN)/python
	@echo "Installing the locked packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.tenure: pyproject.toml $(VENV)/.locked
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.embedded: deploy/embedded/kafka-jars.sha256 $(VENV)/.tenure
	@$(BIN)/python -m deploy.embedded fetch
	@touch $@

demo: setup ## Play a company's history through Kafka and MongoDB and check the outcome (ARGS=... for `tenure demo`)
	@$(BIN)/tenure demo --once --rough 1 $(ARGS)

run: setup ## Everything up and serving until Ctrl-C (DATA_DIR=.tenure)
	@$(BIN)/tenure run --data-dir $(DATA_DIR) $(ARGS)

test: setup ## All tests (ARGS=... for pytest)
	@tests/run.sh $(ARGS)

lint: setup ## Format, lint, types and import rules, without the tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports

check: lint test ## All that has to be green before a commit

bench: setup ## The figures (ONLY=name,... for some of them, JSON=FILE for machines)
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) $(ARGS)

conformance: setup ## Replay documented Graph requests (EXAMPLES=FILE of them, JSON=FILE for machines)
	@$(BIN)/python -m tests.conformance replay $(if $(EXAMPLES),--examples $(EXAMPLES)) $(if $(JSON),--json $(JSON)) $(ARGS)

clean: ## Remove .venv/ (with Kafka's jars in it), .tenure/ and the tools' caches
	rm -rf $(VENV) .tenure .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -not -path './.git/*' -exec rm -rf {} +
