# make demo   set up, verify every equation, train a small DDPM, sample it, and say what to open
# make test   set up, then ruff, mypy and the test suite
# make figures  draw the gallery again
# make bench  speed beside PyTorch, JAX and the bare matrix products (installs them; run by hand)
# make gpu    on a machine with a GPU: the tests, the cards and the benchmark there, into docs/gpu.md

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: demo test bench gpu figures clean

demo: $(VENV)/installed
	$(BIN)/refgen demo

test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist worksteal

bench: $(VENV)/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python benchmarks/all.py --docs docs/performance.md

gpu:
	tools/gpu.sh

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

# The pictures of the README: each command is named there. Five minutes.
figures: $(VENV)/installed
	rm -rf build/moons build/swiss_roll build/two_gaussians build/ebm
	$(BIN)/refgen datasets --out figures/datasets.png
	$(BIN)/refgen train ddpm --data moons --out build/moons
	$(BIN)/refgen plot build/moons overview loss --out figures
	$(BIN)/refgen train ddpm --data swiss_roll --out build/swiss_roll
	$(BIN)/refgen plot build/swiss_roll forward score reverse samples --out figures
	$(BIN)/refgen animate build/swiss_roll --out figures/reverse.gif
	$(BIN)/refgen train ncsn --data two_gaussians --out build/two_gaussians
	$(BIN)/refgen plot build/two_gaussians score reverse --out figures/ncsn
	$(BIN)/refgen train ebm --data moons --objective nce --out build/ebm
	$(BIN)/refgen plot build/ebm energy --out figures/ebm
	$(BIN)/refgen reproduce density-and-score low-density noising noise-levels lost-weights annealed-langevin \
	  cost-by-dimension --out figures/scores
	$(BIN)/refgen reproduce dye same-marginals speed-up guidance --out figures/time

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
