# golden-image: the life of a machine image as a Pulumi program.
# `make demo` and `make test` set up all they need themselves; `make help` lists the rest.

PYTHON ?= python3
STACK  ?= dev
PACE   ?= lab

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.tools/bin:$(PATH)

# The environment in which AWS tools talk to the lab.
LAB_ENV = eval "$$(python -m lab env)"
# Three labs side by side, as much is waiting; a file's tests stay together, in the order of tests/e2e/conftest.py.
WORKERS = --numprocesses 3 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 20
# Which cases of the sweep of faults are tried; the same number tries the same ones.
export GOLDEN_IMAGE_SEED ?= $(shell date +%j%H%M)
STACK_FILE = lab/stacks/Pulumi.$(STACK).yaml

.PHONY: help setup demo test unit lint e2e sweep oldest bench lab preview up destroy rollback clean lock

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: ## Install the pinned tools and packages (does nothing the second time)
	@$(PYTHON) tools/setup.py $(PARTS)

# What a target needs besides: all of it is made side by side, and what cannot work here is reported first.
demo: PARTS = --demo
lab bench: PARTS = --lab
test e2e sweep: PARTS = --lab --pipelines

demo: setup ## Show the whole life of an image, on this machine, for real (a few minutes)
	@python -m lab.demo

test: setup ## Lint, unit tests and, with root on Linux, end-to-end tests in the lab
	@python -m tools.checks
	@echo "GOLDEN_IMAGE_SEED=$(GOLDEN_IMAGE_SEED)"
	@python -m pytest $(WORKERS)

unit: setup ## Only the unit tests, and how much of pipeline/ and components/ they run (pyproject.toml has the least)
	@python -m pytest $(WORKERS) tests/unit --cov

lint: setup ## Only the linters
	@python -m tools.checks

e2e: setup ## Only the end-to-end tests
	@echo "GOLDEN_IMAGE_SEED=$(GOLDEN_IMAGE_SEED)"
	@python -m pytest $(WORKERS) tests/e2e

sweep: setup ## Strike each call of a promotion or a return, kill it there, race it, and delay it (needs root; 1 h)
	@echo "GOLDEN_IMAGE_SEED=$(GOLDEN_IMAGE_SEED)"
	@GOLDEN_IMAGE_SEEDS=50 GOLDEN_IMAGE_SWEEP=all GOLDEN_IMAGE_RACES=50 python -m pytest -p tests.e2e.tally \
	  --numprocesses 3 --dist load --maxschedchunk 1 \
	  tests/e2e/test_manners.py tests/e2e/test_sweep.py tests/e2e/test_races.py tests/e2e/test_returns.py

oldest: ## Bakes, failed and interrupted ones, with the oldest Pulumi, Packer and plugins that will do (needs root)
	@GOLDEN_IMAGE_TOOLS=oldest $(PYTHON) tools/setup.py
	@status=0; python -m pytest tests/e2e/test_bake.py tests/e2e/test_bad_input.py tests/e2e/test_interrupt.py \
	  || status=$$?; $(PYTHON) tools/setup.py && exit $$status

bench: setup ## Measure against packer build, an empty program and an instance refresh (PACE=aws: as long as on AWS)
	@python -m tests.bench --pace $(PACE)

lab: setup ## Start the lab: EC2 on this machine
	@python -m lab up

preview: lab ## Show what an update of STACK (dev, prod) would change, in the lab
	@$(LAB_ENV); pulumi --cwd lab/stacks stack select --create $(STACK) --non-interactive >/dev/null; \
	pulumi preview --diff --stack $(STACK) --config-file $(STACK_FILE) --non-interactive

up: lab ## Update STACK in the lab
	@$(LAB_ENV); pulumi --cwd lab/stacks stack select --create $(STACK) --non-interactive >/dev/null; \
	python -m lab unlock $(STACK); \
	pulumi up --yes --stack $(STACK) --config-file $(STACK_FILE) --non-interactive

destroy: lab ## Remove STACK's resources from the lab (images stay)
	@$(LAB_ENV); \
	pulumi destroy --yes --stack $(STACK) --config-file $(STACK_FILE) --non-interactive

rollback: ## Write STACK's previous good image into its stack file, as a line to review
	@$(LAB_ENV); python -m pipeline rollback $(STACK) --config-file $(STACK_FILE)

clean: ## Stop the labs, forget what they knew, remove the links to tools and packages
	@for lab in main demo bench spare test test2 test3 test4; do \
	  if [ "$$(id -u)" = 0 ] && [ -x .venv/bin/python ]; then GOLDEN_IMAGE_LAB=$$lab python -m lab reset; fi; \
	done
	@rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache
	@echo "the cache stays: $${GOLDEN_IMAGE_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/golden-image}"

lock: setup ## Pin the newest allowed versions again, with hashes
	@for name in requirements requirements-dev; do \
	  .venv/bootstrap/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --custom-compile-command 'make lock' --quiet --upgrade \
	    $$name.in --output-file $$name.txt; \
	done
