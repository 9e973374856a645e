# `make` alone says what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test quick lint format benchmarks clean

help: ## say what each target does
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[test]'
	touch $@

demo: .venv/installed ## install, compare the bundled pair, write the report, say where it is
	$(BIN)/gevaldi demo

test: .venv/installed-test lint ## install what tests need and run them all
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

quick: .venv/installed-test ## the tests that take less than two minutes together
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m "not slow"

lint: .venv/installed-test ## format, style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-test ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: .venv/installed-test ## measure again what benchmarks/README.md says
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove the environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
