# `make demo` and `make test` are the two commands to know; each installs what it needs into .venv, once.
# Everything installed is pinned and hash-checked (requirements*.lock, package-lock.json); `make lock` renews the pins.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --no-input --require-hashes --no-deps --no-build-isolation
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
export PYTHON
# Always the portable build: one compiled for this very processor must not slip into a binary meant for others.
export HNSWLIB_NO_NATIVE := 1

.PHONY: help setup setup-dev demo test check coverage format docs bench quality binary sizes screenshots assets lock clean
help:
	@echo "make demo         the demo shop, at the address it prints (DEMO_PORT=… sets the port)"
	@echo "make test         every test (ARGS='-k consent' for some)"
	@echo "make check        format, lint, types, layers, generated documents"
	@echo "make coverage     the tests, and which lines and branches none of them reaches"
	@echo "make bench        speed and memory against their floors"
	@echo "make quality      recommendation and search quality on real shops"
	@echo "make binary       one executable file, dist/personalize"
	@echo "make sizes        what the beacon, the widget and the binary weigh"
	@echo "make screenshots  pictures of the pages, for the README"
	@echo "make format       mend what make check can mend"
	@echo "make lock         renew the pinned versions"
	@echo "make clean        remove everything that was built or installed"

setup: $(STAMPS)/project $(STAMPS)/loops
setup-dev: $(STAMPS)/dev $(STAMPS)/loops

demo: setup assets
	@exec $(BIN)/personalize demo

test: setup-dev assets $(STAMPS)/clients
	@tools/system.sh browser
	@$(BIN)/python -m pytest $(ARGS)

check: setup-dev
	@$(BIN)/ruff format --check --quiet . || { echo "make check: run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy app plugins store tests $(wildcard tools/*.py)
	@$(BIN)/lint-imports --no-logo
	@git ls-files -z '*.md' | xargs -0 $(BIN)/cog --check -I .

coverage: setup-dev assets $(STAMPS)/clients
	@tools/system.sh browser
	@$(BIN)/coverage run -m pytest $(ARGS)
	@$(BIN)/coverage report

format: setup-dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup-dev
	@git ls-files -z '*.md' | xargs -0 $(BIN)/cog -r -I .

# ---- what is installed: each stamp says that a step was finished, so an interrupted one is done again

$(STAMPS)/venv:
	@tools/system.sh build
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "making $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/build: requirements-build.lock $(STAMPS)/venv
	@echo "installing the build tools"
	@$(INSTALL) -r requirements-build.lock
	@touch $@

# Compiled without pip's cache, which could hand over somebody's build for another processor.
$(STAMPS)/hnswlib: requirements.lock $(STAMPS)/build
	@echo "compiling hnswlib (about a minute)"
	@awk '/^[^ ]/ {mine = /^hnswlib==/} mine' requirements.lock >$(STAMPS)/hnswlib.lock
	@$(INSTALL) --no-cache-dir --force-reinstall -r $(STAMPS)/hnswlib.lock
	@touch $@

$(STAMPS)/runtime: requirements.lock $(STAMPS)/hnswlib
	@echo "installing the server's libraries"
	@$(INSTALL) -r requirements.lock
	@touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/runtime
	@$(PIP) install --quiet --no-input --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/loops: $(wildcard store/loops/source/*.py) tools/join_loops.py tools/build_loops.sh $(STAMPS)/build
	@echo "compiling the inner loops"
	@tools/build_loops.sh
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/project
	@echo "installing the development tools"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

# ---- the scripts and styles of beacon, widget, demo shop and console

$(STAMPS)/node: package.json package-lock.json .npmrc $(STAMPS)/build
	@echo "installing esbuild, terser, htmx, the console's typeface and axe"
	@$(NODE) npm ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

# Other vendors' clients, which the tests point at the server.
$(STAMPS)/clients: tests/clients/package.json tests/clients/package-lock.json $(STAMPS)/build
	@echo "installing the clients that the tests speak through"
	@$(NODE) npm ci --prefix tests/clients --ignore-scripts --loglevel=error >/dev/null
	@touch $@

WEB := $(shell find web -path web/dist -prune -o -type f ! -name '*.py' ! -name '*.pyc' -print)
web/dist/.built: $(WEB) $(STAMPS)/node
	@$(NODE) node web/build.mjs
	@touch $@
assets: web/dist/.built

sizes: $(STAMPS)/node
	@$(NODE) node web/build.mjs && touch web/dist/.built
	@echo "beside it: Umami 2222, Plausible 2670, Algolia search-insights 3751, Recombee 14214, Snowplow with e-commerce 25269, PostHog slim 54252"
	@ls -l dist/personalize 2>/dev/null | awk '{printf "binary %.1f MB (limit 100)\n", $$5 / 1e6}'

# ---- one executable file

binary: setup-dev assets
	@tools/build_binary.sh

# ---- measurements and pictures

bench: setup-dev assets
	@$(BIN)/personalize bench $(ARGS)

quality: setup assets
	@$(BIN)/personalize quality $(ARGS)

screenshots: setup-dev assets
	@tools/system.sh browser
	@$(BIN)/python tools/screenshots.py $(ARGS)

# ---- pinned versions

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --python-platform linux --no-header --no-annotate

# The development lock is resolved first, the smaller ones take its versions.
lock: $(STAMPS)/venv
	@$(PIP) install --quiet uv
	@$(COMPILE) --upgrade pyproject.toml --group build --group dev --output-file requirements-dev.lock
	@grep -oE '^[A-Za-z0-9_.-]+==[^ ]+' requirements-dev.lock >$(STAMPS)/pins
	@$(COMPILE) --constraint $(STAMPS)/pins pyproject.toml --output-file requirements.lock
	@$(COMPILE) --constraint $(STAMPS)/pins --group pyproject.toml:build --output-file requirements-build.lock
	@git diff --stat -- '*.lock'

clean:
	rm -rf $(VENV) node_modules web/dist store/loops/*.so* build dist .cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
