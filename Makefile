# Two commands matter: `make demo` and `make test`. Both set up what they need and can be called again at any time.

# Debian's own Python, which its package of Holdfast runs on, is built with profile-guided optimization; one that was built on the machine
# often is not, and takes a tenth more CPU for a restore and a quarter more for each start of a process.
PYTHON ?= $(or $(shell /usr/bin/python3 -c 'import sys, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null),python3)
VENV := .venv
BIN := $(VENV)/bin

# Images of Python often forbid it to keep what it has compiled: then each of the thousands of processes that the tests start compiles all
# of the program anew, which takes longer than all else of its start.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo deb lock test test-big check console format speed bench bench-full bench-fleet docs bench-live clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml
	@echo "setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@HOLDFAST_BUILD_CONSOLE=no $(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "setting up what the tests need ..."
	@HOLDFAST_BUILD_CONSOLE=no $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

console: $(VENV)/.installed ## Build the console, if its sources have changed; gets Node.js into the environment if there is none
	@$(BIN)/python scripts/build-console --get-node

demo: console ## Run the main job on real data and prove it (PATH_=folder: a copy of yours; KEEP=1: leave it up, with its console)
	@$(BIN)/holdfast demo $(if $(KEEP),--keep) $(PATH_)

deb: console ## Build the Debian 12 package into dist/ (needs dpkg-deb)
	@$(BIN)/python -m deb $(ARGS)

lock: $(VENV)/.installed ## Pin anew what goes into the Debian package
	@$(BIN)/python -m deb.lock

test: $(VENV)/.installed-test console ## Install what the tests need (root) or name what is missing, then run all tests but the big ones
	@scripts/install-test-tools
	@$(BIN)/python scripts/run-tests -n 2 --dist worksteal -m "not big and not speed" --randomly-seed=1 $(ARGS)
	@$(BIN)/python scripts/run-tests -n 2 --dist worksteal -m "not big and not speed" --randomly-seed=1 --records postgresql $(ARGS) tests/master tests/api # The Master on its other database.

test-big: $(VENV)/.installed-test console ## The tests that need gigabytes or minutes: every fault at every step, thousands of steps; about half an hour
	@scripts/install-test-tools
	@$(BIN)/python scripts/run-tests -n 2 --dist loadfile --no-loadscope-reorder -m big -p no:randomly $(ARGS)

check: $(VENV)/.installed-test ## Lint, format, types, layers; of the console the same, its tests and its size
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/build-console --get-node --check

format: $(VENV)/.installed-test ## Format the code
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

speed: $(VENV)/.installed-test console ## Measure the console against its gates, on a machine that does nothing else
	@scripts/install-test-tools
	@$(BIN)/pytest -m speed -p no:randomly -s $(ARGS)

bench: $(VENV)/.installed-test ## Measure beside restic, borg and rsync on the same data, as ratios; half an hour (ARGS="kernel --rounds 1")
	@scripts/install-test-tools --peers
	@$(BIN)/python -m bench $(ARGS)

bench-full: $(VENV)/.installed-test ## The same with every stage on every corpus, three rounds; takes hours
	@scripts/install-test-tools --peers
	@$(BIN)/python -m bench --full $(ARGS)

docs: $(VENV)/.installed-test ## Build the documentation as a site into dist/site; a link that leads nowhere fails
	@$(BIN)/mkdocs build --strict --quiet

bench-fleet: $(VENV)/.installed-test ## Measure a Master with 2,000 nodes that tell of their jobs; a few minutes (ARGS="--nodes 10000")
	@$(BIN)/python -m bench.fleet $(ARGS)

bench-live: $(VENV)/.installed-test ## Measure live replication beside lsyncd and Syncthing; the gates of following, too; as root, half an hour
	@scripts/install-test-tools --peers
	@$(BIN)/python -m bench.live $(ARGS)

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build console/node_modules src/holdfast/api/static
