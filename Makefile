# make demo   the main job, end to end, in a virtual environment of its own
# make test   everything CI runs: format, lint, types, all tests but the long ones
# make soak   the long ones: loads killed at 50 instants, every pack's example, delta and decisions, laws over many more examples (half an hour on 2 cores)
PYTHON ?= python3
VENV ?= .venv-make
BIN := $(VENV)/bin

.PHONY: demo test check tests soak clean

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/flitstack demo

test: check tests

check: $(VENV)/.installed
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/mypy

tests: $(VENV)/.installed
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

soak: $(VENV)/.installed
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

clean:
	rm -rf $(VENV) dist build
