# Everything a developer or an operator calls. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
MEMBERS := libs/common libs/simulators services/gateway services/document-sync cli
EDITABLE := $(foreach m,$(MEMBERS),-e $(m))

.DEFAULT_GOAL := help
.PHONY: help install up test lint format bench lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

# Two stamps: what running needs, and what testing needs on top. Each is made again when a lock or a member's metadata changes.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps $(EDITABLE)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

install: $(VENV)/.dev ## Make .venv with everything, tests included

up: $(VENV)/.runtime ## Run the whole suite here, simulators for what has no credentials (ARGS=--exit-when-synced)
	@exec $(BIN)/bitbylaw up $(ARGS)

test: install ## Run all tests against a real nats-server and the simulators
	$(BIN)/python -m pytest -q $(ARGS)

lint: install ## Style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy libs/common/src libs/simulators/src services/gateway/src services/document-sync/src cli/src tests benchmarks
	$(BIN)/lint-imports

format: install ## Format, and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install ## Measure beside the peers; writes benchmarks/results/latest.json
	$(BIN)/python -m benchmarks $(ARGS)

lock: ## Compile requirements/*.txt again (needs uv)
	uv lock -q
	uv export -q --no-emit-workspace --all-packages --no-header --no-annotate --no-group dev > requirements/runtime.txt
	uv export -q --no-emit-workspace --all-packages --no-header --no-annotate --group dev > requirements/dev.txt
	uv export -q --no-emit-workspace --only-group build --no-header --no-annotate > requirements/build.txt

clean: ## Remove the environment, the data and the caches
	rm -rf $(VENV) .data .mypy_cache .ruff_cache .pytest_cache .hypothesis
