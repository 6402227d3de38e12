# `make demo` and `make test` do all their own set-up, in .venv beside this file (VENV=… for another folder).
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
DIST ?= dist
BIN := $(VENV)/bin

# What one process has compiled, the next one only reads: a test run starts hundreds of them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint format setup sidecar bench clean

# 3 and 4 are what a ladder ends with when it finds the knee, or can't be sure of it: a demo has done its work then.
demo: setup
	@$(BIN)/stt-load demo $(ARGS) || { code=$$?; [ $$code -eq 3 ] || [ $$code -eq 4 ] || exit $$code; }

# Four files at a time: most tests of whole runs wait for a microphone. ARGS="-n 0" for one at a time. The files keep the
# order that tests/conftest.py gives them: xdist's own begins with those of many tests, and ends with the longest ones.
test: setup
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

setup: $(VENV)/.ready

# Only pip from 25.1 reads the dependency group; the one that comes with a new environment may be older.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stt-load needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,report,otel]' --group dev
	touch $@

# One file for a GPU host that has nothing but Python 3.8 or newer: needs no .venv here either.
sidecar:
	rm -rf '$(DIST)/gpu-sidecar'
	mkdir -p '$(DIST)/gpu-sidecar'
	cp -R gpu_sidecar gpu_sidecar/__main__.py '$(DIST)/gpu-sidecar'
	find '$(DIST)/gpu-sidecar' -name __pycache__ -type d -prune -exec rm -rf {} +
	$(PYTHON) -m zipapp '$(DIST)/gpu-sidecar' --python '/usr/bin/env python3' --output '$(DIST)/gpu-sidecar.pyz'
	rm -r '$(DIST)/gpu-sidecar'

# Everything that docs/performance.md describes, about three quarters of an hour on a quiet machine. ARGS="--quick" for less.
bench: setup
	$(BIN)/python bench/run_all.py $(ARGS)

clean:
	rm -rf .venv .venv-newest dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
