r"""Algorithm 1 of DDPM, its target and its weights.                                       [DDPM]

A network may be trained for eps, x_0, the score or v. The errors of the four differ by a factor that depends
on the level alone, so one weight w(t) on the error in eps gives one and the same loss for all of them.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis
from refgen.formulas.parametrisation import score_from_eps
from refgen.formulas.velocity import v_from_x_0_and_eps

__all__ = ["eps_error_factor", "min_snr_weight", "squared_error", "training_target"]


def squared_error(target: Array, prediction: Array) -> Array:
    r"""What Algorithm 1 descends, for each point.                              [DDPM-1, DELBO-12]

    .. math::
        \lVert\epsilon-\epsilon_\theta(\sqrt{\bar\alpha_t}x_0+\sqrt{1-\bar\alpha_t}\,\epsilon,\,t)\rVert^2

    target, prediction: (..., d). Returns (...). Its mean over t, x_0 and eps is L_simple: the bound with its
    weights dropped; the same minimiser at each t, but not the bound.
    Source: Ho et al. 2020, eq. 14 and algorithm 1; SJTU tutorial, slides 22 to 23.
    """
    require_last_axis(target=target, prediction=prediction)
    error = target - prediction
    return np.sum(error * error, axis=-1)


def training_target(target: str, x_0: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""What a network is trained to predict from x_t = signal x_0 + std eps.          [PAR-4, PAR-6]

    target: "eps"; "x_0"; "score", the conditional score -eps / std; "v", signal eps - std x_0. x_0, eps:
    (..., d). signal: >= 0, std: > 0, broadcastable. Raises ValueError for another target.
    """
    if target == "eps":
        return eps
    if target == "x_0":
        return x_0
    if target == "score":
        return score_from_eps(eps, std)
    if target == "v":
        return v_from_x_0_and_eps(x_0, eps, signal, std)
    raise ValueError(f"target is {target!r}; it must be one of eps, x_0, score, v")


def eps_error_factor(target: str, signal: Array, std: Array) -> Array:
    r"""Squared error in eps over squared error in the target.                         [PAR-5]

    .. math:: \lVert\epsilon-\hat\epsilon\rVert^2
              = \frac{\bar\alpha_t}{1-\bar\alpha_t}\lVert x_0-\hat x_0\rVert^2
              = (1-\bar\alpha_t)\lVert s-\hat s\rVert^2
              = \bar\alpha_t\lVert v-\hat v\rVert^2

    target: "eps", "x_0", "score" or "v". signal, std: broadcastable, std > 0, squares that sum to one.
    Raises ValueError for another target. Source: Luo 2022, eqs. 99, 130 and 148; Kim, 'Diffusion Model'.
    """
    factors = {
        "eps": lambda: 1.0,
        "x_0": lambda: (signal / std) ** 2,
        "score": lambda: std**2,
        "v": lambda: signal**2,
    }
    if target not in factors:
        raise ValueError(f"target is {target!r}; it must be one of eps, x_0, score, v")
    return factors[target]()


def min_snr_weight(signal: Array, std: Array, gamma: float = 5.0) -> Array:
    r"""Weight of the squared error in eps that caps the SNR weight of x_0.

    .. math:: \frac{\min(\mathrm{SNR},\gamma)}{\mathrm{SNR}}
              \qquad\text{so that}\qquad w\,\lVert\epsilon-\hat\epsilon\rVert^2
              = \min(\mathrm{SNR},\gamma)\,\lVert x_0-\hat x_0\rVert^2

    signal, std: broadcastable, > 0. gamma: > 0. Source: Hang et al. 2023, section 3.4.
    """
    return np.minimum(1.0, gamma * (std / signal) ** 2)
