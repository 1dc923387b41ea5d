# Zhixin: `make run` and `make test` set everything up by themselves. `make` lists the rest.

PORT ?= 8000
HOST ?= 127.0.0.1
# More arguments for pytest: make test ARGS="-k repay -x"
ARGS ?=
# Processes that share the tests, one a processor; some tests (ARGS) run in one: make test WORKERS=4
WORKERS ?= $(if $(strip $(ARGS)),0,logical)
# How many random histories `make soak` runs, in memory and in a database; SEED=0 draws one.
SEQUENCES ?= 5000
STORED ?= 500
SEED ?= 0

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python

# Production settings refuse to start without these; the values are for `make check` only.
PRODUCTION_DUMMIES := DJANGO_SETTINGS_MODULE=zhixin.settings.production \
	SECRET_KEY=for-the-check-only-7f1d0c5b9a3e8642f0d1c2b3a4958677 \
	PERSONAL_DATA_KEYS=Zm9yLXRoZS1jaGVjay1vbmx5LTAxMjM0NTY3ODlhYmM= \
	PERSONAL_DATA_DIGEST_KEY=for-the-check-only-for-the-check-only \
	ALLOWED_HOSTS=zhixin.example DATABASE_URL=postgresql://localhost/check \
	REDIS_URL=redis://localhost/0 EMAIL_HOST=mail.example BANK_GATEWAY_URL=https://bank.example BANK_SELLER_ID=2088 \
	BANK_PUBLIC_KEY_PEM=$(VENV)/production-check/bank_public.pem \
	LENDER_PRIVATE_KEY_PEM=$(VENV)/production-check/lender_private.pem \
	SMS_GATEWAY_URL=https://sms.example SMS_ACCESS_KEY_ID=check SMS_ACCESS_KEY_SECRET=check

.DEFAULT_GOAL := help
.PHONY: help setup run test check soak fix lint types contracts migrate seed messages lock clean-data
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

help: ## List these targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv, translations and the services' data (run and test do it by themselves)
	@for python in python3.12 python3.11 python3.13 python3.14 python3.15 python3; do \
		if $$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			exec $$python -P zhixin/embedded/setup.py; \
		fi; \
	done; \
	echo "Zhixin needs Python 3.11 or 3.12 with its venv module (or newer, with a redis-server)." >&2; \
	echo "Debian: apt-get install python3 python3-venv. macOS: brew install python@3.12." >&2; \
	exit 1

run: setup ## Run everything until Ctrl-C (PORT=8001 for another port, HOST=0.0.0.0 for other machines, FAULTS=9100 for faults of the bank)
	@exec $(PYTHON) -m zhixin.embedded.supervisor --host $(HOST) --port $(PORT)

test: setup ## Run all tests (ARGS="-k repay" for some)
	@$(PYTHON) -m zhixin.embedded.browser
	@$(PYTHON) -m pytest --numprocesses=$(WORKERS) --maxprocesses=8 $(ARGS)

check: setup lint types contracts ## Lint, format, types, contracts, templates, migrations, production settings
	@echo "· Migrations"
	@$(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@echo "· Production settings"
	@$(PYTHON) -m zhixin.sandbox.keys --data-dir $(VENV)/production-check >/dev/null
	@env $(PRODUCTION_DUMMIES) $(PYTHON) manage.py check --deploy --fail-level WARNING >/dev/null

soak: setup ## Run thousands of random histories of a loan (SEQUENCES=, STORED=, SEED= for others)
	@$(PYTHON) -m tests.soak --sequences $(SEQUENCES) --stored $(STORED) --seed $(SEED)

lint:
	@echo "· Style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "Not formatted: make fix" >&2; exit 1; }
	@$(BIN)/djlint --quiet --check --lint templates || { echo "Templates are not formatted or not clean: make fix" >&2; exit 1; }

types:
	@echo "· Types"
	@$(BIN)/mypy .

contracts:
	@echo "· Contracts between the apps"
	@$(BIN)/lint-imports --no-cache >$(VENV)/contracts.log 2>&1 || { cat $(VENV)/contracts.log; exit 1; }

fix: setup ## Format, and repair what the linters can
	@$(BIN)/ruff check --quiet --fix . || true
	@$(BIN)/ruff format --quiet .
	@$(BIN)/djlint --quiet --reformat templates

migrate: setup ## Migrate the developer's database, and load roles, products and lessons
	@$(PYTHON) manage.py prepare_database

seed: setup ## Make the demo data in an empty database
	@$(PYTHON) manage.py seed_demo

messages: setup ## Collect the texts to translate into locale/
	@command -v xgettext >/dev/null || { echo "Install GNU gettext first." >&2; exit 1; }
	@$(PYTHON) manage.py makemessages --locale zh_Hans --add-location file --no-wrap --no-obsolete \
		--ignore .venv --ignore .data --ignore staticfiles --ignore tests
	@sed -i.bak '/^"POT-Creation-Date: /d' locale/*/LC_MESSAGES/*.po && rm locale/*/LC_MESSAGES/*.bak

lock: setup ## Pin the requirements of pyproject.toml, with hashes
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
		pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
		pyproject.toml --group dev -o requirements-dev.txt

clean-data: setup ## Throw the developer's data away (stop make run first)
	@$(PYTHON) -m zhixin.embedded.services discard
