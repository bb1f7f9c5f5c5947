# Everything starts here; a fresh Debian machine needs Python (3.10 or later) and make; elsewhere, Python with venv.
# CI runs `make check` through .ci/run.

PYTHON ?= python3
BIN := .venv/bin
# More for pytest: make test PYTEST="-k guard -x"
PYTEST ?=
# Whose tests `make peer-suite` runs, or `all`; tools/peer_suites.py has the names.
PEERS ?=
# Half of what the tests do is wait for servers and browsers: three keep two processors busy.
WORKERS ?= 3
# The oldest and the newest Python that the code is meant for.
PYTHONS := 3.10 3.14

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1
# Hundreds of processes of the tests would compile the same modules.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.PHONY: help demo test coverage check wheel bench fuzz docs peer-suite generate format clean

help: ## Print what each target does.
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

# setup.py keeps a stamp of what it installed, and takes a third of a second where
# nothing changed; only it can tell a .venv that was copied from another folder.
setup-%:
	@$(PYTHON) tools/setup.py $*

demo: setup-demo ## Set everything up and serve the demo on 127.0.0.1 until Ctrl-C.
	@$(BIN)/python examples/demo/run.py

test: setup-check ## Set everything up and run every test; browser tests are skipped with the reason where there is no browser.
	@echo "==> tests"
	@$(PYTHON) tools/setup.py programs
	@reason="$$($(PYTHON) tools/setup.py browser)" || exit 1; \
	BROWSER_MISSING="$$reason" $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
		--no-loadscope-reorder $(PYTEST)

# Not in `make test`: watching each line of each server nearly doubles what the tests cost.
coverage: ## Run every test and tell which lines and branches none of them reached.
	@$(MAKE) test PYTEST="--cov --cov-report=term-missing:skip-covered $(PYTEST)"

check: setup-check ## Run everything CI runs: format, lint, types, imports, generated files, migrations, docs, changelog, jupyter_server's own tests, tests.
	@echo "==> format (ruff format)"
	@$(BIN)/ruff format --quiet --check .
	@echo "==> lint (ruff check)"
	@$(BIN)/ruff check --quiet .
	@echo "==> types (mypy)"
	@MYPYPATH=tests $(BIN)/mypy --explicit-package-bases --no-error-summary src tests tools docs/conf.py examples/demo/run.py
# What the oldest and the newest Python have, for what is not run on them here.
	@for version in $(PYTHONS); do \
		$(BIN)/mypy --python-version $$version --no-error-summary src tools || exit 1; done
	@echo "==> imports (lint-imports)"
	@$(BIN)/lint-imports --no-logo --no-cache > .venv/lint-imports.txt || { cat .venv/lint-imports.txt; exit 1; }
	@echo "==> generated files (tools/generate.py)"
	@$(BIN)/python tools/generate.py --check
	@echo "==> migrations (store.check)"
	@$(BIN)/python -m jupyter_authorized_server.store.check
	@echo "==> extension (eslint, prettier, unit tests)"
	@cd labextension && for part in lint test; do PATH="$(CURDIR)/$(BIN):$$PATH" jlpm run $$part || exit 1; done
	@$(MAKE) docs
	@echo "==> changelog (tools/changelog.py)"
	@$(BIN)/python tools/changelog.py
	@echo "==> jupyter_server's own tests (tools/peer_suite.py)"
	@$(BIN)/python tools/peer_suite.py
	@$(MAKE) test

wheel: setup-check ## Build sdist and wheel into dist/, with the extension of the front ends in them.
	@$(BIN)/python -m build --no-isolation --outdir dist .

bench: setup-check ## Run the benchmarks and print their figures.
	@for script in benchmarks/[!_]*.py; do \
		echo "==> $$script"; $(BIN)/python "$$script" || exit 1; done

fuzz: setup-check ## Try 200,000 mutated frames on the reader of kernel messages.
	@FRAMES=200000 $(BIN)/python -m pytest -q tests/server/doors/test_frames.py -k thousands

docs: setup-check ## Build the documentation into docs/_build, every warning an error.
	@echo "==> docs (sphinx)"
	@$(BIN)/sphinx-build -n -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html

peer-suite: setup-check ## Run jupyter_server's own tests, or those of PEERS, under our guard and an allow-all policy.
	@$(BIN)/python tools/peer_suite.py $(PEERS) $(PYTEST)

generate: setup-check ## Write the files that are made from the code: Cedar schema and reference tables.
	@$(BIN)/python tools/generate.py

format: setup-check ## Format the code and mend what the linter can mend.
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .
	@cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" jlpm run format

clean: ## Remove what builds and tests left behind; .venv stays.
	@rm -rf build dist labextension/lib labextension/dist docs/_build .coverage .coverage.* .hypothesis .pytest_cache .mypy_cache \
		.ruff_cache .import_linter_cache src/jupyter_authorized_server/server/admin/static
	@find src tests tools docs -name __pycache__ -type d -prune -exec rm -rf {} +
