# LoRA, live: one command for each thing to do. Needs Python 3.11 or newer; `make assets` needs Node besides.
SHELL = /bin/sh
PYTHON ?= python3
DIR ?= site
ARGS ?=
VERSION ?= 0.0.0
UPLOAD ?=

VENV = .venv
PY = $(VENV)/bin/python
PIP = $(PY) -m pip install --quiet --disable-pip-version-check

# Where there is no NVIDIA GPU, PyTorch without CUDA: PyPI's build for Linux brings gigabytes that nothing could use.
CPU_INDEX = https://download.pytorch.org/whl/cpu
define torch
@if $(PY) -m pip config list | grep -E "index-url|find-links|no-index" >/dev/null; then \
  echo "From the package index that pip is configured for: about 310 MB, or some GB if its PyTorch is the one with CUDA."; \
elif [ "$$(uname -s)" != Linux ]; then \
  echo "About 310 MB are fetched."; \
elif command -v nvidia-smi >/dev/null 2>&1 || [ -e /proc/driver/nvidia/version ]; then \
  echo "There is an NVIDIA GPU: PyTorch comes with CUDA, some GB are fetched."; \
else \
  echo "There is no NVIDIA GPU: PyTorch comes without CUDA, from $(CPU_INDEX). About 310 MB are fetched."; \
  $(PIP) --index-url $(CPU_INDEX) "$$(grep -o '^torch==[0-9.]*' requirements.txt)" || \
    echo "That index did not give it. It comes with CUDA from the usual one: some GB are fetched."; \
fi
endef

# Each after those that it starts from. The two that are missing, derived and english, need files that are not ours.
RECORDINGS = world runs learned forgetting qlora inits menu mixing merging serving capacity tasks block paper subspace grid placing lossy spectra magnitude failures refusal biased retention watched sizes reward

.DEFAULT_GOAL = help
.PHONY: help serve test bench export recordings assets catalogues lock sbom release screenshot format map browser clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

serve: $(VENV)/.installed-app ## install what is missing and serve the app (ARGS="--port 5007")
	@exec $(PY) app.py $(ARGS)

test: $(VENV)/.installed-test browser ## check everything: format, lint, types, tests (ARGS="-k svd")
	@echo "ruff format"; $(VENV)/bin/ruff format --check .
	@echo "ruff check"; $(VENV)/bin/ruff check .
	@echo "mypy"; $(VENV)/bin/mypy
	@echo "pytest"; $(PY) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/.installed-test browser ## measure speed, weight and training against their limits (ARGS="training ticks")
	@exec $(PY) -m tests.bench $(ARGS)

export: $(VENV)/.installed-app ## write the site as static files into DIR (DIR=site)
	@exec $(PY) app.py export "$(DIR)" $(ARGS)

recordings: $(VENV)/.installed-app ## make the base model and all recordings again, about six hours of one core
	@for each in $(RECORDINGS); do echo "$$each"; $(PY) -m compute.experiments.$$each || exit 1; done

assets: $(VENV)/.installed-app $(VENV)/.installed-native assets/node_modules/.package-lock.json ## format the JavaScript; rebuild assets/bundles from it and from the C (needs Node)
	@assets/node_modules/.bin/prettier --config assets/package.json --log-level warn --write 'widgets/**/*.js' 'assets/site/*.js' 'assets/*.js' assets/bundle.mjs
	@$(PY) -m widgets.finetune.tables
	@node assets/bundle.mjs
	@$(PY) -m compute.native.build

catalogues: $(VENV)/.installed-app ## gather what there is to translate into assets/languages/*.po (ARGS=fr begins another)
	@$(PY) -m lessons.press.languages $(ARGS)

lock: $(VENV)/.installed-release ## pin all that requirements.txt brings in deploy/*.lock, with hashes (ARGS=--upgrade)
	@UV="$(PY) -m uv" deploy/lock.sh $(ARGS)

sbom: $(VENV)/.installed-release ## write what is installed and what is bundled as bills of materials into DIR (needs npm)
	@mkdir -p "$(DIR)"
	@cat deploy/app.lock deploy/torch.lock | $(VENV)/bin/cyclonedx-py requirements --output-reproducible --output-file "$(DIR)/python.cdx.json" -
	@bom=$$(mktemp -d) && cp assets/package.json assets/package-lock.json "$$bom" && cd "$$bom" && \
	  npm pkg set version=$(VERSION) && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx > javascript.cdx.json && \
	  cd - >/dev/null && mv "$$bom/javascript.cdx.json" "$(DIR)" && rm -r "$$bom"

release: $(VENV)/.installed-release ## check, test, pack and tag, and say how to publish (VERSION=1.2.0; UPLOAD=yes does it)
	@exec $(PY) deploy/release.py "$(VERSION)" $(if $(UPLOAD),--upload)

screenshot: $(VENV)/.installed-test browser ## photograph the first lesson for the README
	@exec $(PY) tests/helpers/screenshot.py

format: $(VENV)/.installed-test ## format the Python sources and fix what ruff can fix
	@$(VENV)/bin/ruff check --fix-only --quiet .
	@$(VENV)/bin/ruff format .

map: $(PY) ## renew the map of the house in the README
	@$(PY) tests/helpers/house.py

browser: $(VENV)/.installed-test
	@$(PY) tests/helpers/find_browser.py

clean: ## remove what make and the tools made, except assets/bundles
	rm -rf $(VENV) assets/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "LoRA, live needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "LoRA, live needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another: make PYTHON=python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make a virtual environment: its venv module is missing (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@"$(PYTHON)" -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed-app: requirements.txt $(PY)
	@echo "Installing what the app needs (requirements.txt) ..."
	$(torch)
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-test: requirements.txt tests/requirements.txt $(PY)
	@echo "Installing what the tests need (tests/requirements.txt) ..."
	$(torch)
	@$(PIP) -r tests/requirements.txt
	@touch $(VENV)/.installed-app $@

$(VENV)/.installed-native: compute/native/requirements.txt $(VENV)/.installed-app
	@echo "Installing the compiler of the page's trainer (compute/native/requirements.txt) ..."
	@$(PIP) -r compute/native/requirements.txt
	@touch $@

$(VENV)/.installed-release: deploy/requirements.txt $(PY)
	@echo "Installing what a release needs (deploy/requirements.txt) ..."
	@$(PIP) -r deploy/requirements.txt
	@touch $@

assets/node_modules/.package-lock.json: assets/package.json assets/package-lock.json
	@command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || { \
	  echo "make assets needs Node 18 or newer with npm (nodejs.org); the app and its tests do not: assets/bundles is part of the repository." >&2; exit 1; }
	@echo "Installing esbuild and D3's modules (assets/package-lock.json) ..."
	@cd assets && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
