# `make demo` shows the main job, `make test` passes every test; both set up what they need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed

# processes that run tests; each starts an Elasticsearch and a Redis of its own
JOBS ?= 2

# torch is a large download that only the models torchvision:… and torchscript:… need; CI tests them too
ifdef CI
EXTRAS ?= demo,evaluate,parquet,s3,crawl,torch
else
EXTRAS ?= demo,evaluate,parquet,s3,crawl
endif

.PHONY: demo test test-fast check mutate services format clean

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Facsimile needs Python 3.11 or newer; choose one with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable '.[$(EXTRAS)]' --group dev
	@touch $@

demo: $(STAMP)  ## ingest real photographs, find their edited copies, show the result as a picture
	$(BIN)/facsimile demo

test: $(STAMP) services  ## everything that has to pass: lint, types, tests with real services
	$(MAKE) --no-print-directory check
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal $(if $(CI),--durations=20)

test-fast: $(STAMP)  ## the tests that need no service, no browser and not much time: under two minutes
	$(BIN)/pytest --numprocesses $(JOBS) --dist worksteal -m 'not slow and not service'

check: $(STAMP)  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

MODULES ?= search/ranking.py imaging/bands.py workers/ledger/chunks.py facsimile/api/auth.py ingest/addresses.py

mutate: $(STAMP)  ## mutation testing of MODULES: the changes that no test notices; takes hours
	$(BIN)/pip install --quiet --group mutation
	for module in $(MODULES); do scripts/mutate.sh $$module; done

services:  ## Elasticsearch's jars, a Java, Redis and Chromium for the tests; says what is missing
	PYTHON=$(abspath $(BIN))/python scripts/services.sh

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .services .mypy_cache .ruff_cache .pytest_cache demo dist
