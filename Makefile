# Every target sets itself up: git, make and python3 >= 3.11 with venv are enough. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
DEV := .venv/.set-up-dev
DEMO := .venv/.set-up-demo
SOURCES := tilebox_celery scripts broker_config
CHECKS := check-format check-lint check-types check-imports check-lengths check-clauses check-docs

DEMO_ARGS ?=
BENCH_ARGS ?=
PYTEST_ARGS ?=
# Processes that share the tests: many of them wait, so a third one fills two cores.
TEST_WORKERS ?= 3
# The server's own scripts (those in /usr/sbin change the user), and the browser.
RABBITMQ_BIN ?= /usr/lib/rabbitmq/bin
CHROMIUM ?= chromium
PYTEST = $(BIN)/pytest -q -n $(TEST_WORKERS) --dist loadgroup

# An activated environment, or PYTHONPATH, must not leak into ours.
unexport VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME

.PHONY: help demo test check $(CHECKS) bench test-long system test-rabbitmq test-browser docs format clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

demo: $(DEMO) ## Process a real Landsat scene on two workers (DEMO_ARGS="--kill" kills one on the way)
	@$(BIN)/tilebox-celery demo $(DEMO_ARGS)

test: $(DEV) ## Run the tests (PYTEST_ARGS="tests/ledger -x")
	@$(PYTEST) -m "not long and not rabbitmq and not browser" $(PYTEST_ARGS)

check: $(CHECKS) ## Format, lint, types, import directions, file lengths, clauses, generated documents (-k: all of them)

check-format: $(DEV)
	@$(BIN)/ruff format --check .
check-lint: $(DEV)
	@$(BIN)/ruff check .
check-types: $(DEV)
	@$(BIN)/mypy $(SOURCES)
check-imports: $(DEV)
	@$(BIN)/lint-imports
check-lengths: $(DEV)
	@$(BIN)/python scripts/check_lengths.py
check-clauses: $(DEV)
	@$(BIN)/python scripts/check_clauses.py
check-docs: $(DEV)
	@$(BIN)/python scripts/build_docs.py --check

bench: $(DEV) ## Measure against plain Celery canvas on the same servers (BENCH_ARGS)
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

test-long: $(DEV) ## Run the long profiles
	@$(BIN)/pytest -q -m "long and not rabbitmq and not browser" $(PYTEST_ARGS)

system: ## Install RabbitMQ and Chromium with apt (root on Debian or Ubuntu)
	@sh scripts/install_system.sh

test-rabbitmq: $(DEV) ## Run the tests that need a RabbitMQ server
	@test -x "$(RABBITMQ_BIN)/rabbitmq-server" || { echo "RabbitMQ is not installed: run 'make system' as root."; exit 1; }
	@RABBITMQ_BIN="$(RABBITMQ_BIN)" sh scripts/test_marker.sh rabbitmq $(PYTEST_ARGS)

test-browser: $(DEV) ## Run the tests that need Chromium
	@command -v $(CHROMIUM) >/dev/null || { echo "Chromium is not installed: run 'make system' as root."; exit 1; }
	@CHROMIUM="$(CHROMIUM)" sh scripts/test_marker.sh browser $(PYTEST_ARGS)

docs: $(DEV) ## Build the generated documents
	@$(BIN)/python scripts/build_docs.py

format: $(DEV) ## Format the code and sort the imports
	@$(BIN)/ruff check --fix --select I . && $(BIN)/ruff format .

clean: ## Remove the environment, the caches and what was built
	rm -rf .venv build dist out .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): pyproject.toml uv.lock scripts/set_up.py
	@$(PYTHON) scripts/set_up.py dev

$(DEMO): pyproject.toml uv.lock scripts/set_up.py
	@$(PYTHON) scripts/set_up.py demo
