# Grok-1 in the browser. `make run` needs nothing but Python 3.11 or newer.
#
# ARGS passes options on:  make run ARGS="--port 8000"    make test ARGS="-k sampler"

VENV := .venv
PY := $(VENV)/bin/python
DEV := $(VENV)/requirements-dev.installed
TSC := node_modules/.bin/tsc
# What of the tests is quick, as files and folders.
QUICK := tests/chat tests/web/page/test_markup.py tests/web/page/test_words.py \
  tests/web/page/chat/test_status.py tests/web/page/test_personas.py \
  tests/web/page/test_adopted.py tests/web/server/test_limits.py \
  tests/engine/test_scheduler.py tests/engine/test_prefixes.py tests/engine/test_detokenizer.py \
  tests/engine/test_tokenizer.py tests/checkpoint/test_attacks.py tests/checkpoint/test_folder.py \
  tests/checkpoint/test_tensor_file.py tests/test_layers.py tests/test_docs.py \
  tests/test_quick.py tests/test_settings.py tests/test_sampling.py tests/test_javascript.py
GPU := $(VENV)/gpu-program
WORK := training/work
STATE := $(WORK)/run/state.npz
# glibc keeps the gigabyte that a training step takes, instead of having it zeroed for every step.
MALLOC := glibc.malloc.arena_max=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=8589934592

.DEFAULT_GOAL := help

.PHONY: help
help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(VENV)/requirements.installed ## serve the chat on http://127.0.0.1:7860
	@$(PY) app.py $(ARGS)

.PHONY: test
test: $(DEV) ## run all tests, those in a real browser too
	@$(PY) tests/chromium.py
	@$(if $(ARGS),,echo "All tests: about 40 minutes on two cores; make quick takes a minute and a half.")
	@$(PY) -m pytest $(or $(ARGS),-n 2 --dist loadgroup)

.PHONY: quick
quick: lint ## lint, and run the tests that need no browser, no server and no compiling
	@$(PY) -m pytest -q $(QUICK) $(ARGS)

.PHONY: screenshots
screenshots: $(DEV) ## take the pictures of the README
	@$(PY) tests/chromium.py
	@$(PY) -m tests.screenshots

.PHONY: gpu-program
gpu-program: $(GPU)/installed ## say what GPUs would do, without having one: make gpu-program ARGS="--kind h200"
	@PYTHONPATH=$(GPU) $(PY) -m bench.gpu_program $(ARGS)

.PHONY: lint
lint: $(DEV) $(TSC) ## check style, format and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(TSC)

.PHONY: format
format: $(DEV) ## mend style and format where that can be done by a program
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

.PHONY: train
train: $(DEV) ## train the default model from text: make train ARGS="--corpus DIR --minutes 60"
	@GLIBC_TUNABLES=$(MALLOC) $(PY) -m training $(ARGS)

.PHONY: evaluate
evaluate: $(DEV) ## measure the default model: make evaluate ARGS="--corpus DIR"
	@mkdir -p $(WORK)
	@$(PY) -m training.report.evaluate assets/nano --json $(WORK)/evaluation.json \
	  $(if $(wildcard $(STATE)),--floats $(STATE)) $(ARGS)
	@$(PY) -m training.report.replies assets/nano --json $(WORK)/replies.json $(ARGS)
	@$(PY) -m training.report.talks assets/nano --json $(WORK)/talks.json

.PHONY: card
card: $(DEV) ## write its card after that: make card ARGS="--machine 'a laptop of two cores'"
	@$(PY) -m training.report.card $(ARGS)

# A stamp file is newer than the list of requirements that it stands for.
$(DEV): requirements-dev.txt requirements.txt | $(PY)
$(VENV)/requirements.installed: requirements.txt | $(PY)
$(VENV)/%.installed: %.txt
	@echo "Installing $< into $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Beside the others: where JAX finds a package for GPUs it looks for a GPU at every start.
$(GPU)/installed: requirements-gpu-program.txt | $(VENV)/requirements.installed
	@echo "Installing $< into $(GPU) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(GPU) -r $<
	@touch $@

$(TSC): package.json
	@echo "Installing TypeScript into node_modules, to check the types of JavaScript ..."
	@npm install --silent --no-audit --no-fund
	@touch $@

# PYTHON=... chooses one; otherwise the first that is new enough.
$(PY):
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    $$python -m venv $(VENV) && exit; \
	    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "error: Python 3.11 or newer is needed, python3 is: $$(python3 --version 2>&1);" \
	     "install one, or name it: make run PYTHON=/path/to/python3" >&2; \
	exit 1
