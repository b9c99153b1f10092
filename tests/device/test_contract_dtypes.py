"""Every ufunc of CuPy gives the dtype that the double gives, whatever its operands: up to there CuPy needs no
GPU. With arrays and scalars, Python's and NumPy's, of the precisions and kinds that occur."""

import itertools
import warnings

import numpy as np
import pytest

cupy = pytest.importorskip("cupy")

from cupy._core._scalar import CScalar  # noqa: E402

from tests.device import double  # noqa: E402
from tests.device.test_contract import on_cupy, on_double  # noqa: E402

ARRAYS = [np.dtype(char) for char in "fdl?"]
KINDS = [*ARRAYS, 2, 1.5, np.float32(1.5), np.float64(1.5)]
UFUNCS = {
    name: double.FUNCTIONS[name].nin
    for name, parameters in double.API["functions"].items()
    if parameters.startswith("ufunc") and isinstance(getattr(np, name, None), np.ufunc)
    if name != "matmul" and getattr(np, name).nout == 1
}
# NumPy refuses, and CuPy answers.
MORE = {("sign", (np.dtype(bool),))}


def on(make, kinds):
    return [make((2,), kind) if isinstance(kind, np.dtype) else kind for kind in kinds]


def theirs(name, kinds):
    operands = [x if isinstance(x, cupy.ndarray) else CScalar(x) for x in on(on_cupy, kinds)]
    ufunc = getattr(cupy, name)
    return np.dtype(ufunc._ops.guess_routine(name, {}, operands, None, ufunc._out_ops).out_types[0])


def ours(name, kinds):
    return double.FUNCTIONS[name](*on(on_double, kinds)).dtype


def answer(side, name, kinds):
    try:
        return side(name, kinds)
    except TypeError:
        return TypeError


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_gives_the_dtype_of_numpys(name):
    assert len(UFUNCS) > 80
    for kinds in itertools.product(KINDS, repeat=UFUNCS[name]):
        if any(isinstance(kind, np.dtype) for kind in kinds) and (name, kinds) not in MORE:
            with warnings.catch_warnings(action="ignore"):
                assert answer(theirs, name, kinds) == answer(ours, name, kinds), kinds
