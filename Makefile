# Two commands: `make run` and `make test`. Everything they need goes into .venv, at the versions of requirements.lock;
# what checks the page's modules goes into node_modules, at those of package-lock.json. `make run` needs nothing of that.

VENV := .venv/bin
PYTHON_CODE := backend bench cdsp_core examples frontend scripts tests
C_CODE := $(wildcard cdsp_core/kernels/native/*.[ch])
SHELL_CODE := $(wildcard scripts/*.sh .ci/run)
# Checks side by side, a core each; what one says comes in one piece.
SIDE_BY_SIDE := $(MAKE) --no-print-directory --output-sync=target --jobs
LINTS := types python-lint c-lint shell-lint
# Files of tests side by side, a process more than cores (tests/conftest.py); browser tests stay last in each.
IN_PROCESSES := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# CI runs the slow tests, too.
MARKED := $(if $(CI),-m "not chaos")
ARGS ?=

.PHONY: help run test test-chaos test-cluster lint format looks bench evidence lock clean environment dev-environment \
	c-lint shell-lint python-lint types page-lint page-tests

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run: environment  ## start everything and open a running experiment; ARGS="--port 8001" passes options on
	@exec $(VENV)/python -m backend $(ARGS)

test: dev-environment  ## format, lint and type checks, then every test, in a real browser too; ARGS="tests/core -x" narrows pytest
	@+$(SIDE_BY_SIDE) $(LINTS) page-tests
	@browser=$$(scripts/chromium.sh) && CDSP_CHROMIUM=$$browser CDSP_REDIS=$$(scripts/redis.sh) OMP_NUM_THREADS=1 $(VENV)/python -m pytest $(IN_PROCESSES) $(MARKED) $(ARGS)

test-chaos: dev-environment  ## every fault and attack in its long form, at most 20 minutes, whose figures renew the table in docs/reliability.md
	@browser=$$(scripts/chromium.sh) && CDSP_FIGURES=docs/reliability.md CDSP_CHROMIUM=$$browser OMP_NUM_THREADS=1 \
		$(VENV)/python -m pytest -v -s tests/chaos tests/cluster -m "chaos or timed" $(ARGS)

test-cluster: dev-environment  ## clusters, shared storage and viewer processes whole, with what each makes of faults
	CDSP_REDIS=$$(scripts/redis.sh) OMP_NUM_THREADS=1 $(VENV)/python -m pytest tests/cluster -m "" -s $(ARGS)

lint: dev-environment  ## format, lint and type checks only
	@+$(SIDE_BY_SIDE) $(LINTS) page-lint

c-lint:
	$(VENV)/clang-format --dry-run --Werror $(C_CODE)

shell-lint:
	$(VENV)/shellcheck $(SHELL_CODE)

python-lint:
	$(VENV)/ruff format --check $(wildcard $(PYTHON_CODE))
	$(VENV)/ruff check $(wildcard $(PYTHON_CODE))

types:
	$(VENV)/mypy

page-lint:
	@scripts/node.sh lint

page-tests: page-lint
	@scripts/node.sh test

format: dev-environment  ## rewrite the code in the project's format
	$(VENV)/clang-format -i $(C_CODE)
	$(VENV)/ruff format $(wildcard $(PYTHON_CODE))
	$(VENV)/ruff check --fix $(wildcard $(PYTHON_CODE))
	@scripts/node.sh format

looks: dev-environment  ## store how every page looks now, for the tests that compare
	@browser=$$(scripts/chromium.sh) && CDSP_RENEW_LOOKS=yes CDSP_CHROMIUM=$$browser \
		$(VENV)/python -m pytest -q -m "not chaos" tests/e2e/test_looks.py

bench: dev-environment  ## measure, as ratios within one run
	$(VENV)/python -m bench $(ARGS)

evidence: dev-environment  ## write docs/evidence.md and what the page Claims shows from the rows in docs/results
	$(VENV)/python -m cdsp_core evidence --again docs/results/again \
		--from docs/results/whole docs/results/smallest docs/results/full docs/results/full10 $(ARGS)

lock: ## renew requirements.lock from pyproject.toml, in a new .venv
	rm -rf .venv requirements.lock && touch requirements.lock
	scripts/environment.sh web worker studies dev
	$(VENV)/python -m pip freeze --all --exclude pip > requirements.lock
	scripts/lock_images.sh

clean:  ## remove the environment and every cache
	rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis test-results build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

environment:
	@scripts/environment.sh web worker studies

dev-environment: environment
	@scripts/environment.sh web worker studies dev
