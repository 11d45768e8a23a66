# Every target sets up its environment by itself. A fresh machine needs python3 (3.11 or later), make and git.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-newest test-live check bench docs clean

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
POSTGRES := .venv/.postgres
NEWEST := .venv-newest
# What depends on MLflow's version: its stores, their tables, its errors.
NEWEST_TESTS ?= tests/adapters/mlflow
AZURITE := .azurite/.installed

help:
	@echo "make demo    a study from sweep to acquired model, in demo/"
	@echo "make test    all tests"
	@echo "make test-newest    those of the MLflow adapter, with the newest MLflow, in an environment of its own"
	@echo "make test-live    those of Azure ML, in the real workspace of STUDBOOK_TEST_AZURE_URI"
	@echo "make check   format, lint, types, architecture"
	@echo "make bench   the benchmarks, side by side with the peers"
	@echo "make docs    the generated tables of docs/"
	@echo "make clean   remove what the others made, but the environments"

$(STAMP): pyproject.toml constraints.txt .ci/venv
	PYTHON="$(PYTHON)" .ci/venv
	@touch $@

# The tests start a PostgreSQL of their own; distributions keep its programs off the path.
$(POSTGRES): $(STAMP) .ci/postgres
	.ci/postgres
	@touch $@

# .venv holds an older MLflow, because Azure ML's plugin takes no newer one.
$(NEWEST)/.installed: pyproject.toml constraints.txt constraints-newest.txt .ci/venv
	PYTHON="$(PYTHON)" .ci/venv $(NEWEST) constraints-newest.txt dev
	@touch $@

# The tests of Azure ML start a blob store of their own.
$(AZURITE): .ci/azurite
	.ci/azurite
	@touch $@

demo: $(STAMP)
	@mkdir -p demo
	cd demo && ../$(BIN)/studbook demo

test: $(STAMP) $(POSTGRES) $(AZURITE)
	$(BIN)/pytest -n 2 $(TEST_ARGS)

test-newest: $(NEWEST)/.installed $(POSTGRES)
	$(NEWEST)/bin/pytest -n 2 $(NEWEST_TESTS) $(TEST_ARGS)

# It writes to the workspace, and archives what it made.
test-live: $(STAMP)
	$(BIN)/pytest -m live tests/live $(TEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) $(POSTGRES)
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(BENCH_ARGS)

docs: $(STAMP)
	$(BIN)/python docs/generate.py

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
