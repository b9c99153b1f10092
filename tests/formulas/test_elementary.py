"""Elementary functions keep float32, agree with NumPy at the edges, and shapes are checked in one line."""

import math

import numpy as np
import pytest

from refgen.formulas import elementary as e

CASES = [
    (e.sqrt, np.sqrt, [0.0, 1e-300, 2.0, 1e300]),
    (e.log, np.log, [0.0, 1e-300, 1.0, 1e300]),
    (e.log1p, np.log1p, [-1.0, -1e-20, 1e-20, 3.0]),
    (e.exp, np.exp, [-1e4, -1e-20, 1.0, 709.0, 710.0]),
    (e.expm1, np.expm1, [-1e4, 1e-20, 1.0, 709.0, 710.0]),
]


@pytest.mark.parametrize(("ours", "numpys", "values"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_numbers_stay_python_floats_and_agree_with_numpy(ours, numpys, values):
    for value in values:
        for number in (value, np.float64(value)):
            result = ours(number)
            assert type(result) is float
            with np.errstate(all="ignore"):
                expected = float(numpys(np.float64(value)))
            assert result == expected or abs(result - expected) <= 4e-16 * abs(expected), (ours, value)
    assert ours(np.ones(3, np.float32)).dtype == np.float32


def test_a_python_float_leaves_float32_alone():
    x = np.ones(3, np.float32)
    assert (e.sqrt(0.5) * x).dtype == np.float32
    assert (np.sqrt(0.5) * x).dtype == np.float64  # what the module is there to prevent


def test_outside_the_domain():
    assert math.isnan(e.log(-1.0)) and math.isnan(e.log1p(-2.0))


def test_last_axes_must_agree():
    e.require_last_axis(x=np.zeros((5, 2)), y=np.zeros(2))
    with pytest.raises(ValueError, match=r"y has shape \(3,\); its last axis must match that of x"):
        e.require_last_axis(x=np.zeros((5, 2)), y=np.zeros(3))
