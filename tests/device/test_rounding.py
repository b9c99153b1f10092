"""The tests that a GPU joins pass by their tolerances where the double does not round as NumPy does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.device import rounding

FOLDER = Path(__file__).parent


def test_only_what_a_gpu_rounds_otherwise_is_off_and_by_no_more_than_two_ulps(monkeypatch):
    monkeypatch.setattr(rounding, "ROUNDING", True)
    x = np.linspace(0.3, 9, 1000, dtype=np.float32)
    off = np.abs(rounding.rounded("exp", x) / x - 1) / np.finfo(np.float32).eps
    assert 0 < off.max() <= 2.5 and rounding.rounded("exp", x).dtype == np.float32
    assert rounding.rounded("multiply", x) is x
    whole = np.array([0.0, 1.0, -3.0, np.inf])
    np.testing.assert_array_equal(rounding.rounded("sum", whole), whole)
    sign, log_det = rounding.rounded("linalg.slogdet", (np.float64(-1), np.float64(0.3)))
    assert sign == -1 and abs(log_det - 0.3) < 1e-15


def test_the_tests_pass_with_another_rounding():
    files = [FOLDER / f"test_{name}.py" for name in ("nets", "training", "samplers", "metrics")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)],
        cwd=FOLDER.parents[1],
        env=os.environ | {"REFGEN_ROUND": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:]
