# `make` alone says what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE # where it is set, every process compiles torch anew: 18 s of the processor's time

.PHONY: help demo site dist reproduce test quick lowest hostile browser lint format architecture benchmarks clean

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

.venv/installed-docs: .venv/installed
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[docs]'
	touch $@

.venv/installed-mlflow: .venv/installed-test # over the packages of the tests, of which MLflow takes other versions
	$(PYTHON) -m venv .venv/mlflow
	$(BIN)/uv pip install --quiet --python .venv/mlflow/bin/python 'mlflow>=3.17,<4'
	cd .venv/mlflow/lib/python*/site-packages && echo $(CURDIR)/.venv/lib/python*/site-packages > tests.pth
	touch $@

.venv/installed-lowest: .venv/installed
	$(PYTHON) -m venv --clear .venv/lowest
	$(BIN)/uv pip install --quiet --python .venv/lowest/bin/python --resolution lowest-direct -e '.[test,http,web]'
	touch $@

demo: .venv/installed ## install, compare the bundled pair, write the report, say where it is
	$(BIN)/gevaldi demo

site: .venv/installed-docs ## build the documentation, with the demo's report on its home page, say where it is
	$(BIN)/python docs/site/build.py

dist: .venv/installed ## build the wheel and the source distribution in dist/
	$(BIN)/uv build --quiet --out-dir dist

reproduce: .venv/installed ## make the paper's figures again, the quick set: about three minutes
	$(BIN)/gevaldi reproduce all --quick

test: .venv/installed-test .venv/installed-mlflow browser lint ## install what tests need and run them all
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist worksteal

quick: .venv/installed-test ## the tests that take less than two minutes together
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist worksteal -m "not slow" --hypothesis-profile quick

lowest: .venv/installed-lowest ## the same with the lowest versions that pyproject.toml allows
	OMP_NUM_THREADS=1 .venv/lowest/bin/pytest -n 3 --dist worksteal -m "not slow" --hypothesis-profile quick

hostile: .venv/installed-test ## try 24,000 hostile inputs; an hour and a half
	cd tests && OMP_NUM_THREADS=1 ../$(BIN)/python -m hostile 1200

browser: ## a Chromium to click through the report with, where there is none and this may install it
	@which chromium-headless-shell chromium chromium-browser google-chrome | grep -q . || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	apt-get update -qq && export DEBIAN_FRONTEND=noninteractive && \
	{ apt-get install -y -qq chromium-headless-shell || apt-get install -y -qq chromium; } >/dev/null; } || \
	echo "No Chromium or Chrome was found: the tests that click through the report will be skipped."

lint: .venv/installed-test ## format, style, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-test ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

architecture: .venv/installed-test ## draw the rooms in docs/architecture.md from the code
	$(BIN)/python docs/draw_rooms.py

benchmarks: .venv/installed-test ## measure again what benchmarks/README.md says
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove the environment, caches and what was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
