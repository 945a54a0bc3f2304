# Python 3.11 or later, git and make are all that is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: demo test test-postgresql lint soak bench wheel clean

## demo: the life of a batch on the embedded server, with no account
demo: $(VENV)/installed
	@$(BIN)/turkbatch demo

## test: all tests but the long ones
test: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS)

## test-postgresql: the server's tests on a real PostgreSQL, started for them and thrown away
test-postgresql: $(VENV)/installed-test
	.ci/with-postgresql $(BIN)/python -m pytest -n $(JOBS) tests/server

## lint: style and types
lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## soak: the long tests: crashes at hundreds of points, thousands of HITs, 200 people at once
soak: $(VENV)/installed-test
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m soak tests/reliability
	.ci/with-postgresql $(BIN)/python -m pytest -m load tests/reliability

## bench: speed and memory as ratios within one run; QUICK=1 for a short one
bench: $(VENV)/installed-test
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

## wheel: build the wheel and run the demo from it in an empty environment
wheel:
	rm -rf dist build/wheel-venv
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip install --quiet build
	build/wheel-venv/bin/python -m build --wheel --outdir dist .
	rm -rf build/wheel-venv
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip install --quiet dist/*.whl
	cd build && wheel-venv/bin/python -m turkbatch demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV) with the extra $* ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
