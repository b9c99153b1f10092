r"""The probability-flow ODE in the process' own time.                                            [SDE-5]

.. math:: \frac{dx}{dt}=f(t)\,x-\tfrac12g(t)^2\,s_\theta(x,t)

from t_T down to t_1 by steps of Euler, Heun or Runge and Kutta from level to level, or by SciPy's method of
Dormand and Prince, which chooses its own. It takes N(0, std_T^2 I) to the law of the data without fresh
noise: one x_T, one x_0. At level 1 it ends by x_0(x_1). Source: Song et al. 2021, section 4.3, app. D.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refgen.backend import Stream, array_module, to_host
from refgen.denoisers import Denoiser
from refgen.formulas.runge_kutta import euler, fourth_order, heun
from refgen.formulas.sde import flow_velocity
from refgen.processes import Grid
from refgen.samplers.steps import kept_times

__all__ = ["METHODS", "probability_flow"]

Array = Any

STEPS = {"euler": euler, "heun": heun, "rk4": fourth_order}
METHODS = (*STEPS, "rk45")


def probability_flow(
    denoiser: Denoiser,
    levels: Grid,
    x_T: Array,
    rng: Stream | None = None,
    method: str = "heun",
    rtol: float = 1e-5,
    atol: float = 1e-5,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), in x_T's dtype and where x_T is, from x_T, (n, d), drawn from N(0, std_T^2 I).

    denoiser: asked for its score, at level 1 for x_0. levels: a Grid, since steps go between its levels;
    `through(schedule).grid(steps)` is one for a discrete chain. rng: not used. method: "euler", T calls of
    the denoiser; "heun", 2 T - 1; "rk4", 4 T - 3; or "rk45", as many as rtol and atol ask for, one and the
    same step for all points. SciPy works on the host, so rk45 moves the points at each call; below 1e-6 it
    wants float64. trajectory: a dict whose keys are the levels to keep; its values become x there, or x_0 at
    0. Raises ValueError for other levels and methods, a rtol or atol that is not > 0, a kept level that is
    not there, and where rk45 fails.
    """
    if not isinstance(levels, Grid):
        raise ValueError(
            f"levels is a {type(levels).__name__}; this flow needs a Grid, such as through(levels).grid(20)"
        )
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"rtol is {rtol}, atol {atol}; both must be > 0")
    kept = kept_times(trajectory, levels.T)

    def velocity(x: Array, t: float) -> Array:
        score = denoiser.score(x, *levels.process.level(t))
        return flow_velocity(x, score, levels.process.drift(t), levels.process.diffusion_var(t))

    x = x_T
    if levels.T in kept:
        kept[levels.T] = x
    if method == "rk45":
        x = _by_scipy(velocity, levels, x, rtol, atol, kept)
    else:
        for k in range(levels.T, 1, -1):
            t, s = levels.time(k), levels.time(k - 1)
            x = STEPS[method](velocity, x, t, s - t)
            if k - 1 in kept:
                kept[k - 1] = x
    x_0 = denoiser.x_0(x, *levels.level(1))
    if 0 in kept:
        kept[0] = x_0
    return x_0


def _by_scipy(
    velocity: Any, levels: Grid, x_T: Array, rtol: float, atol: float, kept: dict[int, Array]
) -> Array:
    """x at level 1 by solve_ivp, which takes all points as one vector on the host."""
    from scipy.integrate import solve_ivp

    if levels.T == 1 or x_T.size == 0:
        kept.update(dict.fromkeys((k for k in kept if k), x_T))
        return x_T
    xp = array_module(x_T)

    def points(vector: np.ndarray) -> Array:
        return xp.asarray(vector.reshape(x_T.shape).astype(x_T.dtype))

    def rate(t: float, vector: np.ndarray) -> np.ndarray:
        return to_host(velocity(points(vector), float(t))).astype(np.float64).ravel()

    wanted = sorted({1, *(k for k in kept if 0 < k < levels.T)}, reverse=True)
    times, start = levels.times, to_host(x_T).astype(np.float64).ravel()
    found = solve_ivp(rate, (times[-1], times[1]), start, rtol=rtol, atol=atol, t_eval=times[wanted])
    if not found.success:
        raise ValueError(f"rk45 gave up: {found.message}")
    at = {k: points(column) for k, column in zip(wanted, found.y.T, strict=True)}
    kept.update({k: at[k] for k in kept if k in at})
    return at[1]
