#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can show: the tests on CuPy, the cards on the GPU, the benchmark.
# Writes docs/gpu.md. Without a GPU it says so in one line, changes nothing and exits with 1.
#
#   tools/gpu.sh [--no-install] [--cupy PACKAGE] [--python PYTHON] [--quick]
#
# It makes build/venv-gpu and installs refgen there with the CuPy that fits the driver (cupy-cuda12x or
# cupy-cuda13x; --cupy chooses another). With --no-install it uses what PYTHON (default: python3) has.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n '2,9s/^# \{0,1\}//p' tools/gpu.sh; }
stop() { echo "tools/gpu.sh: $1; nothing was run" >&2; exit 1; }

install=yes cupy="" python=python3 quick=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=no ;;
    --cupy) cupy=${2:?--cupy needs a package} && shift ;;
    --python) python=${2:?--python needs a program} && shift ;;
    --quick) quick=(--quick) ;;
    -h | --help) usage && exit 0 ;;
    *) echo "tools/gpu.sh: no option $1 (see tools/gpu.sh --help)" >&2 && exit 2 ;;
  esac
  shift
done

command -v nvidia-smi >/dev/null || stop "no NVIDIA GPU here (there is no nvidia-smi)"
card=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | sed -n 1p) ||
  stop "no NVIDIA GPU here (nvidia-smi finds none)"
[ -n "$card" ] || stop "no NVIDIA GPU here (nvidia-smi finds none)"

if [ $install = yes ]; then
  cuda=$(nvidia-smi | sed -n 's/.*CUDA Version: *\([0-9]*\)\..*/\1/p' | sed -n 1p)
  case ${cupy:-$cuda} in
    12) cupy=cupy-cuda12x ;;
    13) cupy=cupy-cuda13x ;;
    cupy*) ;;
    *) stop "no CuPy is known for the driver's CUDA ${cuda:-(not said)}; choose one with --cupy" ;;
  esac
  mkdir -p build
  "$python" -m venv build/venv-gpu
  python=$PWD/build/venv-gpu/bin/python
  # [ctk] brings the CUDA libraries that CuPy compiles with, so that a driver is all the machine needs.
  "$python" -m pip install --quiet --disable-pip-version-check -e '.[dev]' "${cupy}[ctk]>=14"
fi

export OPENBLAS_NUM_THREADS=1 PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
# A product and a kernel that is compiled: a CUDA library that is missing is found here, not by every test.
why=$("$python" -c '
try:
    from refgen.backend import device
    xp = device("gpu").xp
    float((xp.ones((2, 2)) @ xp.ones((2, 2)) + 1).sum())
except Exception as error:
    print(" ".join(str(error).split())[:300] or type(error).__name__)') || stop "$python does not run"
[ -z "$why" ] || stop "$why"

logs=build/gpu
rm -rf $logs && mkdir -p $logs
echo "$card" | tee $logs/card.txt
failed=0
run() { # name, command...
  echo "-- ${*:2}"
  "${@:2}" 2>&1 >"$logs/$1.out" | tee "$logs/$1.err" || { failed=1 && touch "$logs/$1.failed"; }
}
run tests "$python" -m pytest tests/device -q --junitxml=$logs/tests.xml
run verify "$python" cli.py verify --device gpu --json
run benchmark "$python" benchmarks/gpu.py "${quick[@]}"
"$python" tools/gpu_report.py $logs docs/gpu.md
exit $failed
