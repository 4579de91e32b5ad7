# `make help` lists the targets. Everything happens in .venv; nothing outside this folder is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help test lint types format bench bench-pipeline clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints-cpu.txt
	@test -n "$(PYTHON)" || { echo "no Python was found; install Python 3.11, or set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed, got $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints-cpu.txt torch
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[dev,verl]'
	$(PIP) check
	@touch $(READY)

test: $(READY) lint types ## lint, type check and all tests (sets everything up first)
	$(BIN)/pytest

lint: $(READY) ## ruff: lint and format
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

format: $(READY) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## draw, observe and save at 10^4 to 10^7 prompts beside the peers' rules (under a minute)
	$(BIN)/python tests/benchmarks/bench_engine.py --json build/bench_engine.json

bench-pipeline: $(READY) ## bucketing and preprocessing of 1.4 GB beside cat, pandas, polars, duckdb (about 15 minutes)
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[bench]'
	$(BIN)/python tests/benchmarks/bench_pipeline.py --json build/bench_pipeline.json

clean: ## remove .venv and everything that was built
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
