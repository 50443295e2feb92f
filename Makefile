# make demo, make test, make lint, make docs: each makes or updates .venv by itself. Needs Python 3.11+ and make.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# The groups that the group dev has within it, so that they need no installation of their own after it.
DEV := demo test lint docs dev
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help demo test lint audit docs pairs nightly matrix chaos bench screenshots messages clean

help:  ## list what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 12

# One stamp a set of dependencies, so that the demo need not install what only the tests use.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"

# The gate sets another program, which is faster.
INSTALL ?= $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/.%-installed: pyproject.toml | $(BIN)/python
	$(INSTALL) --editable . --group $*
	@touch $(if $(filter dev,$*),$(foreach group,$(DEV),$(VENV)/.$(group)-installed),$@)

demo: $(VENV)/.demo-installed  ## web, scheduler and workers on http://127.0.0.1:$(PORT)/ (PORT=8123 make demo)
	@exec $(BIN)/python manage.py demo --port $(PORT)

test: $(VENV)/.test-installed  ## the tests, on the databases that answer here; slow ones are left to nightly
	@$(BIN)/python -m tests

lint: $(VENV)/.lint-installed  ## format, lint, types, import contracts, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml django_scheduled_tasks example_project
	$(BIN)/python manage.py makemigrations --check --dry-run

audit: $(VENV)/.audit-installed  ## known vulnerabilities of what is installed; needs the network
	$(BIN)/pip-audit --skip-editable --strict

docs: $(VENV)/.docs-installed  ## the documentation, in docs/_build/html
	$(BIN)/sphinx-build -W -n --keep-going -b html docs docs/_build/html

PAIRS ?= py311-lowest,py313-dj61
pairs: $(VENV)/.dev-installed  ## what touches the database, on the lowest and the highest versions
	$(BIN)/tox run -e $(PAIRS)

nightly: $(VENV)/.dev-installed  ## all the rest, for hours, with a table at the end (ONLY="chaos matrix" make nightly)
	@$(BIN)/python -m tests.nightly $(ONLY)

matrix: $(VENV)/.dev-installed  ## every Python, Django, database and broker, as a table (ONLY="py313 mariadb" make matrix)
	@$(BIN)/python -m tests.matrix $(ONLY)

SEED ?= 1
MINUTES ?= 1
chaos: $(VENV)/.test-installed  ## break everything for a while and read the ledger (SEED=7 MINUTES=30 make chaos)
	@$(BIN)/python -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

bench: $(VENV)/.test-installed  ## measure on servers of its own, next to django-q2 and a bare loop (BENCH=--smoke make bench)
	@$(BIN)/python -m benchmarks $(BENCH)

screenshots: $(VENV)/.test-installed  ## a picture of every screen of the admin, in docs/images; needs Chromium
	@$(BIN)/python -m tests.browser.screenshots

LANGUAGES := de es fr pt_BR tr zh_Hans
messages: $(VENV)/.test-installed  ## gather the texts to translate, and compile the translations; needs gettext
	@cd django_scheduled_tasks && ../$(BIN)/python ../manage.py makemessages --add-location file --no-obsolete $(LANGUAGES:%=--locale %)
	@sed -i.bak '/^"POT-Creation-Date:/d' django_scheduled_tasks/locale/*/LC_MESSAGES/django.po
	@rm django_scheduled_tasks/locale/*/LC_MESSAGES/django.po.bak
	@cd django_scheduled_tasks && ../$(BIN)/python ../manage.py compilemessages --verbosity 0

clean:  ## remove what the other targets made
	rm -rf $(VENV) docs/_build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .tox
