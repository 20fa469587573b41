# Each target does its own set-up: only Python >= 3.11, make and git are needed.
PYTHON ?= python3
export PATH := $(CURDIR)/.tools/bin:$(PATH)
export RAY_USAGE_STATS_ENABLED := 0
UV := $(shell command -v uv 2>/dev/null || echo $(CURDIR)/.tools/bin/uv)
# With ray[default] every node of a testbed runs an agent that takes a core now and then, so those have their own place.
EXTRAS := --all-extras --no-extra cluster --no-extra spark
RUN := $(UV) run --frozen $(EXTRAS)
# On all cores; real runs one after the other, beside the rest (tests/conftest.py).
PYTEST := $(RUN) pytest -n logical --dist loadgroup

.PHONY: demo test check lint bench faults soak audit licences fuzz fuzz-parsers figures measure notebooks docs clean

demo: .venv/ready
	$(RUN) psmodel demo

test: .venv/ready lint
	$(PYTEST)

# For each commit: nothing that starts Ray, namespaces or a browser, and nothing long.
check: .venv/ready lint
	$(PYTEST) -m "not ray and not netns and not browser and not slow and not long"

lint: .venv/ready
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

figures: .venv/ready
	$(RUN) python -m figures $(NAME)

measure: .venv/ready
	$(RUN) python -m figures $(NAME) --measure

notebooks: .venv/ready
	$(RUN) python -m notebooks $(NAME)

docs: .venv/ready
	$(RUN) sphinx-build -W --keep-going -q -b html docs site
	@echo "Pages: site/index.html"

# Hypothesis with many examples; and, guided by coverage, the parsers alone.
EXAMPLES ?= 100000
SECONDS ?= 600

fuzz: .venv/ready
	PSMODEL_FUZZ_EXAMPLES=$(EXAMPLES) $(RUN) pytest tests/scenario/test_fuzz.py

fuzz-parsers: .venv/ready
	$(RUN) --with atheris python -m tests.reference.fuzz_parsers -max_total_time=$(SECONDS) -max_len=400

bench: .venv/ready
	$(RUN) python -m benchmarks

faults: .venv/ready
	$(RUN) python -m benchmarks.faults

MINUTES ?= 30

# Suites in a loop, struck by faults at random: nothing may grow.
soak: .venv/ready
	$(RUN) python -m benchmarks.soak --minutes $(MINUTES)

# Known vulnerabilities of what is locked; asks the package index about each package.
audit: .venv/ready
	@$(UV) export --frozen --all-extras --no-emit-project --no-hashes --quiet --output-file .venv/locked.txt
	$(UV) tool run pip-audit --disable-pip --no-deps --requirement .venv/locked.txt

# What `pip install psmodel[...]` brings along, with its licences; one that asks for the same of others fails.
licences: .venv/ready
	$(RUN) --isolated --no-default-groups --with pip-licenses pip-licenses --order=license --partial-match \
	  --fail-on="GNU;GPL;UNKNOWN"

.venv/ready: pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || $(PYTHON) -m pip install --quiet --target .tools "uv>=0.13,<0.14"
	$(UV) sync --frozen $(EXTRAS) --quiet --compile-bytecode
	@touch $@

# Ray's jobs and dashboard, and Spark (500 MB): for the tests that start them.
.venv-cluster/ready: pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || $(PYTHON) -m pip install --quiet --target .tools "uv>=0.13,<0.14"
	UV_PROJECT_ENVIRONMENT=.venv-cluster $(UV) sync --frozen --no-default-groups --extra spark --quiet --compile-bytecode
	@touch $@

clean:
	rm -rf .venv .venv-cluster .tools dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
