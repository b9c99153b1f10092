"""Derivatives of functions of one element: tanh, sqrt, where, maximum, minimum."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.extend import defjvp, defvjp
from autograd.numpy.numpy_vjps import unbroadcast_f

from refgen.autodiff.arrays import primitive_of

__all__: list[str] = []

Array = Any

# autograd's tanh' is 1 / cosh(x)^2, which overflows, with a warning, from |x| = 89 on in float32.
defvjp(primitive_of(onp.tanh), lambda ans, x: lambda g: g * (1 - ans * ans))
defjvp(primitive_of(onp.tanh), lambda g, ans, x: g * (1 - ans * ans))

# autograd's sqrt' is 0.5 x^-0.5: a power, several times slower than a division.
defvjp(primitive_of(onp.sqrt), lambda ans, x: lambda g: 0.5 * g / ans)
defjvp(primitive_of(onp.sqrt), lambda g, ans, x: 0.5 * g / ans)

# autograd's where takes its zeros from the host, in float64, and gives a branch that was broadcast a gradient
# of the wrong shape.
defvjp(
    primitive_of(onp.where),
    None,
    lambda ans, chosen, x=None, y=None: unbroadcast_f(x, lambda g: np.where(chosen, g, 0.0)),
    lambda ans, chosen, x=None, y=None: unbroadcast_f(y, lambda g: np.where(chosen, 0.0, g)),
)
defjvp(
    primitive_of(onp.where),
    None,
    lambda g, ans, chosen, x=None, y=None: np.broadcast_to(np.where(chosen, g, 0.0), np.shape(ans)),
    lambda g, ans, chosen, x=None, y=None: np.broadcast_to(np.where(chosen, 0.0, g), np.shape(ans)),
)


def _share(g: Array, larger: Array, smaller: Array) -> Array:
    """g where larger > smaller, half of it at a tie."""
    half = 0.5 * g
    return half * np.greater(larger, smaller) + half * np.greater_equal(larger, smaller)


# autograd's maximum and minimum divide two masks, which makes float64 of everything behind them.
defvjp(
    primitive_of(onp.maximum),
    lambda ans, x, y: unbroadcast_f(x, lambda g: _share(g, x, y)),
    lambda ans, x, y: unbroadcast_f(y, lambda g: _share(g, y, x)),
)
defvjp(
    primitive_of(onp.minimum),
    lambda ans, x, y: unbroadcast_f(x, lambda g: _share(g, y, x)),
    lambda ans, x, y: unbroadcast_f(y, lambda g: _share(g, x, y)),
)
defjvp(primitive_of(onp.maximum), lambda g, ans, x, y: _share(g, x, y), lambda g, ans, x, y: _share(g, y, x))
defjvp(primitive_of(onp.minimum), lambda g, ans, x, y: _share(g, y, x), lambda g, ans, x, y: _share(g, x, y))
