PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data

.PHONY: dream test lint models clean

# The whole loop without a screen: a random sneaker, two edits, accept, the nearest products. `$(BIN)/dreamkicks` starts the studio.
dream: $(VENV)/installed
	$(BIN)/dreamkicks demo -o dreams

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Train all built-in models from the photographs in DATA; hours on two CPU cores. It goes on from what it finds in .train: delete that to
# begin anew. The two settings keep the C library from handing freed memory back to the system, without which training takes a quarter
# longer (2.5 in place of 2.0 s a step of the painter's last stage).
models: export MALLOC_MMAP_MAX_ := 0
models: export MALLOC_TRIM_THRESHOLD_ := 100000000000
models: $(VENV)/installed-test
	$(BIN)/python -m scripts.train_encoder $(DATA)
	$(BIN)/python -m scripts.train_brands $(DATA)
	$(BIN)/python -m scripts.train_painter $(DATA)
	$(BIN)/python -m scripts.build_concepts

clean:
	rm -rf $(VENV) .train dist build dreams .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[test,lint,train]"
	touch $@
