# `make demo` and `make test` do everything on a fresh machine: check the system, make the virtual
# environment, fetch the face models, run. The other targets are the steps of these two.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Pinned and installed first: left to itself, a dependency would choose another build of it.
TORCH := torch==2.13.0

# Two test processes on two cores: one thread each. Waiting threads sleep instead of spin.
export OMP_WAIT_POLICY := passive

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types contracts format release assets setup clean

help:
	@echo "make demo    set up, score a real clip and a forged one, write a report"
	@echo "make test    set up, then lint, types, import contracts and all tests"
	@echo "make check   the same as test"
	@echo "make format  format the code"
	@echo "make release DATA=... OUT=...  train, measure and time the released detector"
	@echo "make clean   remove the virtual environment and what was built"

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) src/hashformer/system.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

assets: setup
	@$(BIN)/python examples/fetch_assets.py

demo: assets
	$(BIN)/python examples/demo.py

test check: lint types contracts assets
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --cov --cov-report=term:skip-covered --cov-fail-under=85

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# People and sources that training never sees, for the choice of the best weights and for calibration.
HELD_OUT ?= CelebV-Text,GRID

release: assets
	PYTHON=$(BIN)/python HELD_OUT="$(HELD_OUT)" scripts/release.sh "$(DATA)" "$(OUT)"

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .coverage*
