"""The three objectives that train a score without knowing it: implicit, sliced and denoising score matching.

All three fit the score of the data under a little noise, q(x) = E[N(x; x_0, std^2 I)], whose boundary term
is nothing. Their gradients are equal in the mean; they differ in their variance, and in how many reverse
passes by x they take: d, one for each projection, none. Source: Hyvarinen 2005; Song et al. 2019; Vincent
2011.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np

from refgen.backend import Stream
from refgen.formulas import denoising, sliced
from refgen.formulas.forward import diffuse
from refgen.formulas.score_matching import empirical
from refgen.formulas.sliced import LAWS
from refgen.nets.derivatives import sliced_trace, trace

__all__ = ["LAWS", "OBJECTIVES", "loss_is", "require_objective", "score_loss"]

Array = Any

OBJECTIVES = ("implicit", "sliced", "denoising")


def loss_is(objective: str, weight: str = "") -> str:
    """What the loss of an objective is, and why it does not end at 0: one line. weight: what is before it."""
    if objective == "denoising":
        return "|eps - its prediction|^2/2: at best d/2 - std^2/2 E|score|^2, for eps cannot all be told"
    trace = "the trace of its Jacobian" + ", along random directions" * (objective == "sliced")
    loss, best = f"|s|^2/2 + {trace}", "-std^2/2" if weight else "-1/2"
    return f"{f'{weight} ({loss})' if weight else loss}: at best {best} E|score|^2, below 0"


def require_objective(objective: str, projections: int = 1, law: str = LAWS[0]) -> None:
    """Raise ValueError for an objective or a law of directions that there is not, or projections < 1."""
    for name, value, known in [("objective", objective, OBJECTIVES), ("law", law, LAWS)]:
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
    if projections < 1:
        raise ValueError(f"projections is {projections}; it must be >= 1")


def score_loss(
    objective: str,
    score: Callable[[Array], Array],
    x: Array,
    rng: Stream,
    std: float,
    projections: int = 1,
    law: str = "rademacher",
    reduced: bool = True,
) -> Array:
    r"""The mean loss of a batch x, (n, d), each point with noise of its own.   [SM-7, SSM-5, SSM-11, DSM-12]

    .. math:: \tfrac12\lVert s\rVert^2+\mathrm{tr}\,\nabla s,\qquad
              \tfrac12\lVert s\rVert^2+v^\top\nabla s\,v,\qquad
              \sigma^2\cdot\tfrac12\Big\lVert s+\frac\epsilon\sigma\Big\rVert^2

    objective: "implicit", "sliced" or "denoising". score: (n, d) -> (n, d), each point alone, differentiable
    in what it closes over and, but for "denoising", by x. std: > 0, of the noise; the denoising loss has the
    weight std^2, so it is the error in the noise, and its gradient std^2 times that of the others.
    For "sliced": projections v for each point, of a law ("gaussian", "rademacher" or "sphere"), and in place
    of (v^T s)^2 its mean, the square of s, where reduced. Raises ValueError for an objective, a law or
    projections that there are not.
    """
    require_objective(objective, projections, law)
    eps = rng.normal(*x.shape, dtype=x.dtype)
    x_noisy = diffuse(x, eps, 1.0, std)
    if objective == "denoising":
        return np.mean(denoising.noise_prediction(score(x_noisy), eps, std))
    if objective == "implicit":
        return empirical(*trace(score, x_noisy))
    v = sliced.directions(rng.normal(projections, *x.shape, dtype=x.dtype), law)
    s, v_jac_v = sliced_trace(score, x_noisy, v)
    return np.mean(sliced.variance_reduced(s, v_jac_v) if reduced else sliced.sliced(v, s, v_jac_v))
