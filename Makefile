# One target for each thing a person does; `make` alone prints them.

PYTHON ?= python3
FOOTNOTE_EVAL ?= ../shared/eval
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# pytest keeps the tests that it has made ready; without that they are made ready each time.
unexport PYTHONDONTWRITEBYTECODE
# Two processes with a thread for each core wait for each other; a file's imports are made by one.
QUICK_TESTS = OMP_NUM_THREADS=1 $(BIN)/pytest -q -n auto --dist loadfile -m "not real and not slow"

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev models browser proxy postgres chat index test check lint format formats scale retrieval answers screenshots audit clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

chat: setup  ## Set everything up the first time, then open the chat on the documents
	@$(BIN)/footnote models pull
	@$(BIN)/footnote index
	@$(BIN)/footnote chat

index: setup  ## Bring the index up to date with its folder
	@$(BIN)/footnote models pull all-minilm-l6-v2
	@$(BIN)/footnote index

test: setup-dev models browser proxy postgres  ## Set everything up, then run every test, the real models' too
	$(QUICK_TESTS)
	$(BIN)/pytest -m "real or slow"

check: lint  ## Linters and the quick tests
	$(QUICK_TESTS)

lint: setup-dev  ## Style, types, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev  ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

setup: .venv/.installed  ## Install what the program needs

setup-dev: .venv/.installed-dev  ## Install what the tests need, too

models: setup  ## Fetch and check the models that the tests use
	@$(BIN)/footnote models pull all-minilm-l6-v2 smollm2-135m qwen2.5-coder-1.5b

browser:  ## Find or install the browser of the page's tests
	@sh tests/browser.sh

proxy:  ## Find or unpack the proxy of the server's tests
	@sh tests/nginx.sh

postgres:  ## Find or install the database of the tests
	@sh tests/postgres.sh

screenshots: setup-dev models browser  ## Take the pictures in docs/ from the running page
	FOOTNOTE_SCREENSHOTS=docs $(BIN)/pytest -q tests/test_page.py

formats: setup-dev  ## Write docs/formats.md from files made and read now
	$(BIN)/python -m tests.formats

scale: setup-dev  ## Measure indexes of 1,000 and 10,000 documents
	@$(BIN)/footnote models pull all-minilm-l6-v2
	$(BIN)/python -m benchmarks.scale

retrieval: setup-dev  ## Measure the search on SciFact and SQuAD (FOOTNOTE_EVAL: their folder)
	@$(BIN)/footnote models pull all-minilm-l6-v2
	$(BIN)/footnote eval $(FOOTNOTE_EVAL)/scifact --retrieval --output evaluation/scifact
	$(BIN)/footnote eval $(FOOTNOTE_EVAL)/squad --retrieval --only answerable --output evaluation/squad

answers: setup-dev  ## Measure the answers on questions of SQuAD that the refusal was not trained on
	@$(BIN)/footnote models pull
	$(BIN)/python -m benchmarks.held_out $(FOOTNOTE_EVAL)/squad evaluation/held-out
	$(BIN)/footnote eval evaluation/held-out --only answerable --sample 200 --output evaluation/answerable
	$(BIN)/footnote eval evaluation/held-out --only answerable --without-gold --sample 200 --output evaluation/without-gold
	$(BIN)/footnote eval evaluation/held-out --only unanswerable --sample 200 --output evaluation/unanswerable

audit: setup  ## Look the pinned versions up in the published advisories (asks the network)
	$(BIN)/python -m venv --clear .venv/audit
	.venv/audit/bin/pip install --quiet pip-audit==2.10.1
	sed 's/+[a-z0-9.]*//' constraints.txt > .venv/audit/pinned.txt
	.venv/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement .venv/audit/pinned.txt

clean:  ## Remove what setup installed; models and indexes stay
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Footnote needs Python 3.11 or newer: run 'make PYTHON=python3.11 chat'."; exit 1; }
	$(PYTHON) -m venv .venv

# The model's engine is compiled the first time, which takes several minutes.
.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing; the first time llama.cpp is compiled, which takes about 7 minutes…"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev,eval,milvus,ocr,postgres,ray]'
	@touch $@
