# Every target sets up .venv by itself. A fresh machine needs python3 (3.11 or later), make and git.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs clean

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
POSTGRES := .venv/.postgres

help:
	@echo "make demo    a study from sweep to acquired model, in demo/"
	@echo "make test    all tests"
	@echo "make check   format, lint, types, architecture"
	@echo "make bench   the benchmarks, side by side with the peers"
	@echo "make docs    the generated tables of docs/"
	@echo "make clean   remove what the others made, but .venv"

$(STAMP): pyproject.toml constraints.txt .ci/venv
	PYTHON="$(PYTHON)" .ci/venv
	@touch $@

# The tests start a PostgreSQL of their own; distributions keep its programs off the path.
$(POSTGRES): $(STAMP) .ci/postgres
	.ci/postgres
	@touch $@

demo: $(STAMP)
	@mkdir -p demo
	cd demo && ../$(BIN)/studbook demo

test: $(STAMP) $(POSTGRES)
	$(BIN)/pytest -n 2 $(TEST_ARGS)

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
