"""Another device's rounding, played on the double: REFGEN_ROUND=1 pytest tests/device.

A GPU's exp and log are off by an ulp or two where NumPy's are not, and its sums run in another order. With
that variable set the double's results differ so from the host's, and the tests that a GPU joins must then
pass by their tolerances alone, as they must on a GPU.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

__all__ = ["ROUNDING", "rounded"]

ROUNDING = bool(os.environ.get("REFGEN_ROUND"))
# What a GPU rounds otherwise; + - * / and sqrt are exact there too.
INEXACT = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "power", "hypot"}
INEXACT |= {"sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arctan2", "arcsin", "arccos"}
INEXACT |= {"sum", "mean", "var", "std", "prod", "cumsum", "cumprod", "trace"}
INEXACT |= {"matmul", "dot", "vdot", "inner", "tensordot", "einsum", "cov", "average"}
RNG = np.random.default_rng(0)


def rounded(name: str, result: Any) -> Any:
    """The result of that function, up to two ulps off; whole numbers, as of exp(0), stay as they are."""
    if not ROUNDING or not (name in INEXACT or name.startswith("linalg.")):
        return result
    if isinstance(result, tuple | list):
        return tuple(rounded(name, part) for part in result)
    x = np.asarray(result)
    if x.dtype.kind != "f":
        return result
    with np.errstate(all="ignore"):
        off = x * (1 + np.finfo(x.dtype).eps * RNG.integers(-2, 3, x.shape)).astype(x.dtype)
        return np.where(x == np.rint(x), x, off)
