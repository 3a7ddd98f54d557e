SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
DOCKER ?= docker
KUBECTL ?= kubectl
UV ?= uv
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' gitops_backup/__init__.py)
IMG ?= gitops-backup:$(VERSION)
MODE ?= report
ARGS ?=
ROUNDS ?= 20

INSTALLED := $(VENV)/.installed
MANIFESTS = $(MANIFESTS_$(MODE))
MANIFESTS_report := argocd
MANIFESTS_gitops := argocd/overlays/gitops
MANIFESTS_direct := argocd/overlays/direct
LOCK = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

.PHONY: help
help: ## Show what there is
	@awk 'BEGIN { FS = ":.*## "; print "make TARGET [MODE=report|gitops|direct] [IMG=name:tag] [ROUNDS=20] [ARGS=...]" } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Try it

.PHONY: demo
demo: $(INSTALLED) ## See an image go from a workload to a copy to a commit, on servers of its own
	@$(VENV)/bin/gitops-backup sandbox demo $(ARGS)

.PHONY: run
run: $(INSTALLED) ## Run the controller from here on the current cluster, in mode MODE
	@$(VENV)/bin/gitops-backup run --mode $(MODE) $(ARGS)

##@ In a cluster

.PHONY: install
install: ## Install the CustomResourceDefinition into the current cluster
	$(KUBECTL) apply -k crds

.PHONY: uninstall
uninstall: ## Remove the CustomResourceDefinition, and with it every ImageBackup; the copies stay
	$(KUBECTL) delete --ignore-not-found -k crds

.PHONY: deploy
deploy: check-mode ## Install everything into the current cluster, in mode MODE, with the image IMG
	$(KUBECTL) kustomize $(MANIFESTS) | sed 's|image: gitops-backup:.*|image: $(IMG)|' | $(KUBECTL) apply -f -

.PHONY: undeploy
undeploy: check-mode ## Remove everything that deploy installed, every ImageBackup too; the copies stay
	$(KUBECTL) delete --ignore-not-found -k $(MANIFESTS)

.PHONY: check-mode
check-mode:
	@[ -n "$(MANIFESTS)" ] || { echo "MODE is report, gitops or direct, not '$(MODE)'" >&2; exit 2; }

##@ The container image

.PHONY: docker-build
docker-build: ## Build the image IMG
	$(DOCKER) build -t $(IMG) .

.PHONY: docker-push
docker-push: ## Push the image IMG
	$(DOCKER) push $(IMG)

##@ Work on it

.PHONY: test
test: $(INSTALLED) ## Run every test but those of test-argocd, on real servers (ARGS go to pytest)
	@$(VENV)/bin/pytest $(ARGS)

.PHONY: fuzz
fuzz: $(INSTALLED) ## Edit generated kustomizations, charts, programs and files, over 500 new ones in each of ROUNDS
	@for round in $$(seq $(ROUNDS)); do echo "round $$round of $(ROUNDS)"; \
		$(VENV)/bin/pytest --quiet --hypothesis-profile=fuzz tests/sources/test_*generated.py $(ARGS); done

.PHONY: test-argocd
test-argocd: $(INSTALLED) ## Run the tests on a real Argo CD, where it is built; BUILD=1 builds it first, once, in 25 minutes
	@$(VENV)/bin/python -m tests.argocd $(if $(BUILD),--build) $(ARGS)

.PHONY: coverage
coverage: $(INSTALLED) ## Run every test and show which branches none of them took
	@$(VENV)/bin/pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, the direction of imports, and that generated files are current
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/python -m gitops_backup.generate --check

.PHONY: bench
bench: $(INSTALLED) ## Measure, each figure beside its reference
	@$(VENV)/bin/python -m benchmarks $(ARGS)

.PHONY: manifests
manifests: $(INSTALLED) ## Make what is made from the code: crds/, and the tables and the schema in docs/
	@$(VENV)/bin/python -m gitops_backup.generate

.PHONY: lock
lock: ## Choose the versions of all dependencies anew (needs uv)
	$(LOCK) --upgrade --extra dev --output-file requirements-dev.txt pyproject.toml
	$(LOCK) --upgrade --constraint requirements-dev.txt --output-file requirements.txt pyproject.toml
	echo hatchling | $(LOCK) --upgrade --constraint requirements-dev.txt --output-file requirements-build.txt -

$(INSTALLED): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with PYTHON=, for example PYTHON=python3.12" >&2; exit 2; }
	@# Debian has this module in a package of its own
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; install it first: apt-get install python3-venv" >&2; exit 2; }; \
		echo "installing python3-venv" && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3-venv >/dev/null; }
	@echo "installing the locked dependencies into $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
