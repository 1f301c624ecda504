# Two commands do everything: `make report` and `make test`. Each prepares .venv when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: report test check bench deep clean

report: $(STAMP)
	$(BIN)/noetherflow verify --profile $(or $(PROFILE),standard)

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# By hand: all claims with a second seed, all mutants, then the deep profile for hours.
deep: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow
	$(BIN)/noetherflow mutants
	$(BIN)/noetherflow verify --profile deep

# By hand: a few minutes on one core; the results and the figure go to docs/.
bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m benchmarks

# The stamp is written last, so that an interrupted installation is repeated.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[report,fast]" --group dev
	touch $@

clean:
	rm -rf $(VENV) reports/out
