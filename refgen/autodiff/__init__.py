"""autograd, mended so that one code base is differentiated on NumPy and on CuPy arrays, float32 throughout.

autograd's primitives call NumPy functions, and NumPy hands those calls to the array's own library (NEP 13,
NEP 18), so that a CuPy array flows forward unaided. Backward it does not: some of autograd's rules build
arrays on the host, some turn float32 into float64, a few are wrong. Importing this package restates those
that refgen uses, for the whole process. What it relies on beyond autograd's public interface is `PRIVATE`.
"""

from refgen.autodiff import elementwise, matrices, reductions, shapes
from refgen.autodiff.arrays import PRIVATE, array_module, register
from refgen.autodiff.sigmoids import sigmoid, softplus

__all__ = [
    "PRIVATE",
    "array_module",
    "elementwise",
    "matrices",
    "reductions",
    "register",
    "shapes",
    "sigmoid",
    "softplus",
]
