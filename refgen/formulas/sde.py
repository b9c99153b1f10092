r"""Stochastic differential equations, their reverse, and the ODE with the same marginals.           [SDE]

The forward process is :math:`dx=f(t)\,x\,dt+g(t)\,dw`, see `process`; score is that of the law p_t of x_t.
All but the last two formulas need a g that does not depend on x. Since every drift here is linear in f and
g^2, one may give f dt and g^2 dt and have the change in a step.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis, sqrt

__all__ = [
    "euler_maruyama_step",
    "flow_velocity",
    "general_flow_velocity",
    "general_reverse_drift",
    "log_density_rate",
    "marginal_drift",
    "reverse_drift",
]


def log_density_rate(x: Array, score: Array, laplacian: Array, f: Array, g2: Array) -> Array:
    r"""How the log-density of x_t changes in time at a fixed point: the Fokker-Planck equation.    [SDE-1]

    .. math:: \partial_tp=-\nabla\cdot(f\,x\,p)+\tfrac12g^2\Delta p\ \iff\
              \partial_t\log p=-d\,f-f\,x\cdot s+\tfrac12g^2\big(\Delta\log p+\lVert s\rVert^2\big)

    x, score: (..., d). laplacian: (...), the trace of the Hessian of log p. f, g2: numbers or (...), g2 >= 0.
    Returns (...). Source: Gardiner 2009, section 5.2; SJTU tutorial, 'Continuous Diffusion Models'.
    """
    require_last_axis(x=x, score=score)
    drift = np.shape(x)[-1] + np.sum(x * score, axis=-1)
    return 0.5 * g2 * (laplacian + np.sum(score**2, axis=-1)) - f * drift


def marginal_drift(x: Array, score: Array, f: Array, g2: Array, noise: Array = 1.0) -> Array:
    r"""Drift in the direction of t of all the processes that have the forward marginals.            [SDE-11]

    .. math:: dx=\big[f\,x-\tfrac{1+\eta^2}2g^2\nabla\log p_t\big]dt+\eta\,g\,d\bar w

    backwards in time: eta = 1 is the reverse SDE, eta = 0 the probability-flow ODE, and every other does as
    well. x, score: (..., d). noise: eta >= 0. f, g2, noise: broadcastable, g2 >= 0.
    Source: Karras et al. 2022, app. B.5; Song et al. 2021, app. D.1.
    """
    require_last_axis(x=x, score=score)
    return flow_velocity(x, score, f, g2) - 0.5 * noise**2 * g2 * score


def reverse_drift(x: Array, score: Array, f: Array, g2: Array) -> Array:
    r"""Drift of the reverse SDE.                                                                     [SDE-4]

    .. math:: dx=\big[f\,x-g^2\nabla\log p_t\big]dt+g\,d\bar w

    where time runs backwards, dt < 0. x, score: (..., d). f, g2: broadcastable, g2 >= 0.
    Source: Anderson 1982; Song et al. 2021, eq. 6; SJTU tutorial, 'Continuous Diffusion Models'.
    """
    require_last_axis(x=x, score=score)
    return f * x - g2 * score


def flow_velocity(x: Array, score: Array, f: Array, g2: Array) -> Array:
    r"""Velocity of the probability-flow ODE, whose solutions have the law p_t at every time.       [SDE-5]

    .. math:: \frac{dx}{dt}=f\,x-\tfrac12g^2\nabla\log p_t

    x, score: (..., d). f, g2: broadcastable, g2 >= 0. Source: Song et al. 2021, eq. 13; SJTU tutorial,
    'Continuous Diffusion Models', which has it for any SDE: see `general_flow_velocity`.
    """
    require_last_axis(x=x, score=score)
    return f * x - 0.5 * g2 * score


def euler_maruyama_step(x: Array, drift: Array, g2: Array, dt: Array, z: Array) -> Array:
    r"""One step of Euler and Maruyama.                                                                [SDE-4]

    .. math:: x+\mathrm{drift}\,dt+\sqrt{g^2\lvert dt\rvert}\,z,\qquad z\sim\mathcal N(0,I)

    x, drift, z: (..., d). g2: >= 0. dt: negative for a step backwards in time. Broadcastable. Where drift
    and g2 have been multiplied by the length of the step already, dt is -1 or 1. Weak order 1.
    """
    require_last_axis(x=x, drift=drift, z=z)
    return x + dt * drift + sqrt(g2 * abs(dt)) * z


def general_reverse_drift(drift: Array, diffusion: Array, divergence: Array, score: Array) -> Array:
    r"""Drift of the reverse of any SDE, :math:`dx=\mu(x,t)dt+G(x,t)dw`, backwards in time.          [SDE-4]

    .. math:: \mu-\nabla\cdot(GG^\top)-GG^\top\nabla\log p_t

    Noise that depends on x needs the divergence, which is 0 for a G(t). drift, score: (..., d). diffusion:
    G G^T, (..., d, d). divergence: (..., d), of its rows. Source: Anderson 1982; Song et al. 2021, app. A.
    """
    return drift - divergence - _times(diffusion, score)


def general_flow_velocity(drift: Array, diffusion: Array, divergence: Array, score: Array) -> Array:
    r"""Velocity of the probability flow of any SDE.                                                  [SDE-5]

    .. math:: \frac{dx}{dt}=\mu-\tfrac12\nabla\cdot(GG^\top)-\tfrac12GG^\top\nabla\log p_t

    Arguments as for `general_reverse_drift`. p_t must be smooth and positive.
    Source: Song et al. 2021, app. D.1.
    """
    return drift - 0.5 * divergence - 0.5 * _times(diffusion, score)


def _times(matrix: Array, vector: Array) -> Array:
    require_last_axis(diffusion=matrix, score=vector)
    return (matrix @ vector[..., None])[..., 0]
