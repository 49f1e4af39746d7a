# Every target sets itself up. `make` alone lists them.
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Tests of a file share its fixtures and run in one process, those of tests/faults all in one (tests/conftest.py).
SIDE_BY_SIDE := -n 4 --dist loadscope --no-loadscope-reorder
MINUTES ?= 60
RESULTS := bench/results
PG_BIN ?= /usr/lib/postgresql/15/bin
# Tests of what is asked of PostgreSQL in its own words.
STORED := $(addprefix tests/zeus_hub/,sinks/test_store.py test_backfill.py test_database.py test_deep.py test_move.py \
  test_postgresql.py test_purge.py test_search.py)

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 18

setup:  ## make .venv with the four programs and all tools
	@scripts/setup.sh

demo: setup  ## a hub, two clients' nodes and the wall, on this machine
	@$(BIN)/socme demo

test: setup  ## all tests; what this machine lacks is skipped with a reason
	@$(PYTEST) $(SIDE_BY_SIDE)

test-postgresql: setup  ## what is stored, on another PostgreSQL: make test-postgresql PG_BIN=…/15/bin
	@PG_BIN=$(PG_BIN) $(PYTEST) $(SIDE_BY_SIDE) -n 2 -k "(postgresql or move) and not killed" $(STORED)

faults: setup  ## break real programs by the plan of one seed: make faults SEED=123
	@$(BIN)/python -m tests.faults.run --seed $(SEED) --keep

soak: setup  ## the same with new seeds, until one fails or the time is over: make soak MINUTES=60
	@$(BIN)/python -m tests.faults.run --minutes $(MINUTES) --keep

check: setup  ## format, lint, types, imports, protocol, generated files, layout, documents
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(PYTEST) -q tests/packaging/test_stubs.py tests/packaging/test_repository.py tests/packaging/test_layout.py \
	  tests/packaging/test_docs.py

fmt: setup  ## put the code in shape
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

proto:  ## generate socme/v1 from proto/
	@proto/generate.sh

lock:  ## renew both lock files from pyproject.toml (needs uv)
	@scripts/lock.sh

bench: setup  ## measure on this machine, beside the peers that are here; an hour (bench/README.md)
	@for each in scan latency drain steady ingest store fleet churn rest; do \
	  $(BIN)/python -m bench.$$each --json $(RESULTS) || exit 1; done
	@$(BIN)/python -m bench.purge
	@$(BIN)/python -m bench.growth
	@$(BIN)/python -m bench.day
	@$(BIN)/python -m bench.wall
	@$(BIN)/python bench/outage.py --check
	@$(BIN)/python bench/overtake.py --check
	@$(BIN)/python -m bench.chart $(RESULTS)/*.json
	@$(BIN)/python -m bench.table $(RESULTS)

bench-check: setup  ## fail where a ratio is below its floor (bench/floors.py)
	@$(BIN)/python -m bench.scan --check --mib 512 --rounds 1
	@$(BIN)/python -m bench.steady --check --rounds 1
	@$(BIN)/python -m bench.latency --check --rounds 1
	@$(BIN)/python -m bench.drain --check --rounds 1
	@$(BIN)/python -m bench.ingest --check --rounds 1

screenshots: setup  ## take pictures of the wall, for README and docs (needs Chromium)
	@$(BIN)/python -m scripts.screenshots

clean:  ## remove what the other targets made
	@rm -rf .venv .proto-venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-state
	@find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup demo test test-postgresql faults soak check fmt proto lock bench bench-check screenshots clean
