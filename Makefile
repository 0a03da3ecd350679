# One word each; CONTRIBUTING.md says what they are for.
PYTHON ?= python

.PHONY: help format lint types test crash bench docs release fixture
help:
	@sed -n 's/^| `make \([a-z]*\)` | \(.*\) |$$/\1: \2/p' CONTRIBUTING.md
format:
	ruff check --fix --select I . && ruff format .
lint:
	ruff check . && ruff format --check .
types:
	mypy
test:
	$(PYTHON) -m pytest
crash:
	$(PYTHON) -m tests.crash.runner 200 && $(PYTHON) -m tests.crash.provider 22
bench:
	$(PYTHON) -m tests.bench
docs:
	$(PYTHON) -m hybridq_cli.help.topics && $(PYTHON) -m hybridq_cli.help.manual man && $(PYTHON) -m hybridq_cli.shells.scripts completions
release:
	$(PYTHON) -m tests.support.release
fixture:
	$(PYTHON) -m tests.support.fixture
