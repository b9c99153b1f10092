# make demo   set up, verify every equation, train a small DDPM, sample it, and say what to open
# make test   set up, then ruff, mypy and the test suite
# make figures  draw the gallery again
# make bench  speed side by side with PyTorch (installs it; run by hand)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test bench figures clean

demo: $(VENV)/installed
	$(BIN)/refgen demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

bench: $(VENV)/installed-dev
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python benchmarks/ddpm.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "refgen needs Python 3.11 or later; $$($(PYTHON) --version) found. Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/installed

# The pictures of the README: each command is named there. About a minute.
figures: $(VENV)/installed
	rm -rf build/moons build/swiss_roll
	$(BIN)/refgen datasets --out figures/datasets.png
	$(BIN)/refgen train ddpm --data moons --out build/moons
	$(BIN)/refgen plot build/moons overview loss --out figures
	$(BIN)/refgen train ddpm --data swiss_roll --out build/swiss_roll
	$(BIN)/refgen plot build/swiss_roll forward score reverse samples --out figures
	$(BIN)/refgen animate build/swiss_roll --out figures/reverse.gif

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
