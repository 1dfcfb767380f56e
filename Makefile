# The two commands are `make run` and `make test`; `make help` lists the others.
# Every path is relative, so that a checkout may lie in a directory with spaces in its name.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BOOTSTRAP := $(or $(PYTHON),python3)
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# `make test ARGS="-k redis -x"`
ARGS ?=

# Given on the command line or in the environment; everything else is configured as docs/configuration.md says.
ifneq ($(HOST),)
run: export SECURECONNECT_SERVER_HOST := $(HOST)
endif
ifneq ($(PORT),)
run: export SECURECONNECT_SERVER_PORT := $(PORT)
endif
ifneq ($(MEDIA_PORT),)
run: export SECURECONNECT_SERVER_MEDIA_PORT := $(MEDIA_PORT)
endif
ifneq ($(DATA_DIR),)
run: export SECURECONNECT_SERVER_DATA_DIR := $(DATA_DIR)
endif

.PHONY: run
run: ## start the server (HOST, PORT, MEDIA_PORT, DATA_DIR); installs what is missing
	@$(BOOTSTRAP) tooling/environment.py runtime
	@$(BOOTSTRAP) tooling/parts.py
	@exec $(BIN)/secureconnect serve

.PHONY: test
# Four processes, one of which has the tests that need a service and, at the end, those that need the machine to
# themselves (tests/turns.py).
test: environment ## the whole suite, real services included
	@$(PYTEST) -m "not soak" --numprocesses=4 --dist=loadscope $(ARGS)

.PHONY: coverage
# A third of the time of everything goes into counting lines, so it is not part of every run.
coverage: environment ## the whole suite, and which lines it has seen
	@$(PYTEST) -m "not soak" --numprocesses=4 --dist=loadscope --cov --cov-report=term $(ARGS)

.PHONY: test-fast
# Most of their time is waiting for time-outs: more processes than cores.
test-fast: environment ## what needs no real service and is not slow
	@$(PYTEST) -m "not service and not slow and not soak" --numprocesses=4 $(ARGS)

.PHONY: soak
soak: environment ## hours of load in minutes: the tests marked soak
	@$(PYTEST) -m soak --timeout=3600 $(ARGS)

.PHONY: bench
bench: environment ## the measurements behind benchmarks/README.md
	@$(BIN)/python -m benchmarks.run $(ARGS)

.PHONY: lint
lint: environment ## format, lint, types, import rules, generated files, stray secrets
	@$(BIN)/python tooling/checks.py

.PHONY: format
format: environment ## format and sort imports
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: lock
lock: environment ## resolve the dependencies anew into requirements/*.lock
	@$(BIN)/python tooling/lock.py

.PHONY: provision
provision: ## install the real services of the tests (also MinIO's build) and nothing else
	@$(BOOTSTRAP) tooling/provision.py

.PHONY: environment
environment:
	@$(BOOTSTRAP) tooling/environment.py dev

.PHONY: clean
clean: ## remove what the commands above made in this directory (not ./data)
	@rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
