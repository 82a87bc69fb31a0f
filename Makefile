# Two commands on a fresh machine: make demo, make test. Both set everything up; a second run skips what is there.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Compiled bytecode halves every start of the interpreter.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install lint type test test-all test-slurm demo bench docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## set up the virtual environment in .venv: the package, editable, and its tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --system-certs --python $(BIN)/python --quiet --compile-bytecode --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

lint: $(STAMP) ## ruff and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

type: $(STAMP) ## mypy
	$(BIN)/mypy

test: $(STAMP) ## the tests, less the slow ones
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m 'not slow and not slurm'

test-all: $(STAMP) ## every test, less those on a real Slurm
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m 'not slurm'

test-slurm: $(STAMP) ## start a real Slurm of one node, test launcher=slurm on it, stop it (root; Debian's packages are installed)
	$(BIN)/python tests/slurm/single_node.py install
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slurm -rs tests/slurm

demo: $(STAMP) ## write synthetic clips, train without TPAVI, with the paper's and with scope=frame, and compare
	$(BIN)/avs demo

bench: $(STAMP) ## measure the exact forms against the published ones, and the data loader
	$(BIN)/avs bench

docs: $(STAMP) ## build the documentation into build/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/docs/index.html"

clean: ## remove the environment and caches, never data or runs
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
