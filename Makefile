# make demo: a dataset from a made video of a person, and a picture of it.   make test: the tests.
# Both set up what they need first; a second run installs nothing.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TESTS_READY := $(VENV)/.tests_ready

export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
export RAY_USAGE_STATS_ENABLED = 0

.PHONY: help setup demo test test-fast test-large lint format bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       make a video of a person, extract it, and draw a picture of the dataset (in $(DEMO)/)"
	@echo "make test       run the tests; make test-fast leaves out the slow ones"
	@echo "make test-large run networks of the published sizes on untrained weights (some minutes, 4 GB)"
	@echo "make lint       ruff, the type checker and the import rules; make format mends what ruff can"
	@echo "make bench      run the benchmarks; each prints lines 'ratio NAME VALUE'"
	@echo "make setup      only the set-up that the others do first"

setup: $(READY)

$(READY): requirements.txt setup/system.sh setup/python.sh
	sh setup/system.sh $(PYTHON)
	sh setup/python.sh $(PYTHON) $(VENV)
	touch $(READY)

# The package of SMPL-X and MANO is under a non-commercial licence: it is installed for their tests alone.
$(TESTS_READY): $(READY)
	$(BIN)/pip install -q --disable-pip-version-check --no-deps smplx==0.1.28
	touch $(TESTS_READY)

demo: $(READY)
	$(BIN)/dancemill synth --out $(DEMO)/people --seed 7 --frontal
	$(BIN)/dancemill extract $(DEMO)/people --out $(DEMO)/dataset
	$(BIN)/dancemill shards info $(DEMO)/dataset
	$(BIN)/dancemill shards preview $(DEMO)/dataset --out $(DEMO)/preview.png

# Tests share what their file sets up, so each file stays on one process; tests/conftest.py puts the longest first.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(TESTS_READY)
	$(PYTEST) -m "not large"

test-fast: $(TESTS_READY)
	$(PYTEST) -m "not slow and not large"

test-large: $(TESTS_READY)
	$(BIN)/pytest -m large

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python -m benchmarks.$$(basename $$file .py) || exit 1; done

clean:
	rm -rf $(VENV) $(DEMO) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
