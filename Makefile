# make serve   everything needed to open the page, then serve it
# make test    everything needed to test, then all gates and tests
#
# Both start from Python 3.11 or newer (with venv), Node 20 or newer and npm. What a step leaves behind (.venv, web/node_modules)
# is kept until pyproject.toml or web/package-lock.json changes. PYTHON=... picks an interpreter.

.DEFAULT_GOAL := help
ifneq ($(MAKECMDGOALS),gates)
.NOTPARALLEL:
endif

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --editable

# Bytecode is made, and kept, when a module is first imported: making it for all that torch brings was half of the time of
# installing the test tools, and most of it is never imported.
unexport PYTHONDONTWRITEBYTECODE

# $(call timed,NAME,COMMAND): the command between its name and the time it took; its exit status is kept.
define timed
@printf '\n== %s\n' '$(1)'; start=$$(date +%s); { $(2); }; status=$$?; \
	printf '== %s: %s s\n' '$(1)' $$(($$(date +%s) - start)); exit $$status
endef

# $(call gate,NAME,COMMAND): the same for one of several at once: all that it wrote comes when it ends.
define gate
@start=$$(date +%s); output=$$({ $(2); } 2>&1); status=$$?; \
	printf '\n== %s\n%s\n== %s: %s s\n' '$(1)' "$$output" '$(1)' $$(($$(date +%s) - start)); exit $$status
endef

.PHONY: help
help:
	@sed -n '1,6s/^# \{0,1\}//p' Makefile

# --- environments ---------------------------------------------------------------------------------------------------

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer with its venv module is needed (Debian: apt install python3-venv).'; exit 1; }
	$(call timed,make .venv with $(PYTHON),$(PYTHON) -m venv .venv)

# What `make serve` needs. Touched by the larger installation below too, which contains it.
.venv/.installed: pyproject.toml | $(BIN)/python
	$(call timed,install voxtab (a minute the first time),$(INSTALL) . && touch $@)

.venv/.installed-test: pyproject.toml | $(BIN)/python
	$(call timed,install voxtab and its test tools (minutes the first time),$(INSTALL) '.[test]' --no-compile && touch .venv/.installed $@)

web/node_modules/.installed: web/package-lock.json
	@command -v npm >/dev/null || { echo 'Node 20 or newer with npm is needed (https://nodejs.org).'; exit 1; }
	$(call timed,install the npm packages,npm ci --prefix web --no-audit --no-fund --loglevel=error && touch $@)

# --- make serve -----------------------------------------------------------------------------------------------------

# ARGS="--host 0.0.0.0 --models DIR" goes to voxtab-serve, which also makes the certificate.
.PHONY: serve
serve: built
	@$(BIN)/voxtab-serve $(ARGS)

.PHONY: built
built: web/build/voxtab.zip

# Asked every time: it compares what it would bundle with what it did, in a tenth of a second.
.PHONY: always
web/build/voxtab.zip: .venv/.installed web/node_modules/.installed always
	@$(BIN)/python -m server.engine_build

# --- make test ------------------------------------------------------------------------------------------------------

# A process a core, four at most: more would starve the software GPU. Whole files in their order, since each process runs
# what needs Playwright last.
WORKERS := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

.PHONY: test
test: .venv/.installed-test web/node_modules/.installed built
	@$(MAKE) --no-print-directory --jobs=2 gates
	@printf '\n== pytest\n'; $(BIN)/pytest $(WORKERS)

# In this order, the longest first, two at a time.
.PHONY: gates mypy tools node-tests ruff ruff-format biome tsc
gates: mypy tools node-tests ruff ruff-format biome tsc

mypy:
	$(call gate,mypy,$(BIN)/mypy)
tools:
	$(call gate,Chromium + GPU adapter + mistral-common,$(BIN)/python -m tests.install_test_tools)
node-tests:
	$(call gate,node --test,npm run --prefix web --silent test)
ruff:
	$(call gate,ruff check,$(BIN)/ruff check .)
ruff-format:
	$(call gate,ruff format,$(BIN)/ruff format --check .)
biome:
	$(call gate,biome,npm run --prefix web --silent lint)
tsc:
	$(call gate,tsc,npm run --prefix web --silent types)
