r"""Energies, the normalising constant, and the score, which does without it.                        [EBM]

The sign is fixed here once: p(x) = exp(-E(x)) / Z, so that a low energy is a high density. Where a text has
p(x) = exp(f(x)) / Z, its f is -E. `energy` is a function (..., d) -> (...), or its values where so named.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
from autograd import elementwise_grad

from refgen.formulas.elementary import Array, log_sum_exp, require_last_axis

__all__ = [
    "asymmetry",
    "contrastive_loss",
    "count_satisfying",
    "free_weights",
    "likelier",
    "line_integral",
    "log_normaliser",
    "log_prob",
    "score",
    "violations",
]


def log_prob(energy: Array, log_z: Array) -> Array:
    r"""Log-density of an energy-based model.                                                 [EBM-1, EBM-12]

    .. math:: p(x)=\frac{e^{-E(x)}}Z=\frac{e^{f(x)}}Z,\qquad f=-E

    energy: E(x), (...). log_z: log Z, broadcastable. Returns (...), in nats.
    Source: Kim, 'Score-based Generative Model'; SJTU tutorial, 'Score-based'.
    """
    return -energy - log_z


def log_normaliser(energy: Array, log_weight: Array) -> Array:
    r"""log Z as a weighted sum, over a grid, over all states, or over draws from another law.       [EBM-2]

    .. math:: \log Z=\log\int e^{-E(x)}dx\approx\log\sum_i w_i\,e^{-E(x_i)}

    energy: E(x_i), (..., n). log_weight: log w_i, broadcastable: that of the quadrature rule; 0 for a sum
    over discrete states; -log q(x_i) - log n for n draws from a density q, which estimates Z (not log Z)
    without bias. Returns (...). Finite wherever log Z is. Source: Song & Kingma 2021.
    """
    return log_sum_exp(log_weight - energy)


def contrastive_loss(energy_data: Array, energy_model: Array, mass_model: Array | None = None) -> Array:
    r"""Its gradient in the parameters is that of the mean of -log p over the data.            [EBM-4, EBM-13]

    .. math:: -\nabla_\theta\frac1n\sum_i\log p_\theta(x_i)
              =\frac1n\sum_i\nabla_\theta E_\theta(x_i)-\mathbb E_{p_\theta}\nabla_\theta E_\theta(x)

    energy_data: at the data, (n,). energy_model: at draws from the model, (m,); the gradient
    holds the draws fixed. mass_model: (m,), the probabilities of those points where they are a grid and not
    draws. Returns a scalar, whose value means nothing. Source: Hinton 2002; SJTU tutorial, 'Score-based'.
    """
    if mass_model is None:
        return np.mean(energy_data) - np.mean(energy_model)
    require_last_axis(energy_model=energy_model, mass_model=mass_model)
    return np.mean(energy_data) - np.sum(mass_model * energy_model)


def score(energy: Callable[[Array], Array], x: Array) -> Array:
    r"""Score of the density with that energy; Z is not in it.                          [EBM-6, EBM-7, EBM-10]

    .. math:: s(x)=\nabla_x\log p(x)=-\nabla_xE(x)-\nabla_x\log Z=-\nabla_xE(x)

    energy: (..., d) -> (...), each point alone. x: (..., d). Returns (..., d): the derivative by x, not
    by the parameters. Source: Song & Ermon 2019; Kim, 'Score-based Generative Model'.
    """
    return -elementwise_grad(energy)(x)


def likelier(energy_a: Array, energy_b: Array) -> Array:
    r"""Whether a is likelier than b: whether its energy is lower. Broadcastable; returns booleans. [EBM-12]

    .. math:: p(a)>p(b)\iff E(a)<E(b)
    """
    return energy_a < energy_b


def line_integral(score: Array, velocity: Array, weight: Array) -> Array:
    r"""The work of a field along a path, on the nodes of a quadrature rule.                   [EBM-9, EBM-10]

    .. math:: \log p(b)-\log p(a)=\int_0^1 s(\gamma(u))\cdot\gamma'(u)\,du

    for a path from a to b inside the support, where s is a score; around a closed path it is the circulation,
    0 for every score. score, velocity: s and gamma' at the nodes, (..., n, d). weight: (n,). Returns (...).
    Source: Dong-A notes, 'Score functions'.
    """
    require_last_axis(score=score, velocity=velocity)
    return np.sum(weight * np.sum(score * velocity, axis=-1), axis=-1)


def asymmetry(jacobian: Array) -> Array:
    r"""How far a field is from being a score, whose Jacobian is symmetric.                           [EBM-10]

    .. math:: \lVert J-J^\top\rVert_F,\qquad J_{ij}=\frac{\partial s_i}{\partial x_j}

    jacobian: (..., d, d). Returns (...), >= 0. Source: Song & Kingma 2021.
    """
    if np.ndim(jacobian) < 2 or np.shape(jacobian)[-1] != np.shape(jacobian)[-2]:
        raise ValueError(f"jacobian has shape {np.shape(jacobian)}; it must be (..., d, d)")
    difference = jacobian - np.swapaxes(jacobian, -1, -2)
    return np.sqrt(np.sum(difference * difference, axis=(-2, -1)))


def free_weights(low: Array, high: Array) -> Array:
    r"""How many numbers the score leaves open of a density on a union of intervals.                   [EBM-9]

    One less than there are pieces: the score knows the shape of the density on each connected piece of the
    support and says nothing of the pieces' weights. low, high: the ends of the intervals, (k,), low < high,
    sorted by low. Returns a number; 0 for a connected support, from whose score the density can be recovered.
    """
    require_last_axis(low=low, high=high)
    earlier = np.tril(np.ones_like(low[:, None] * high), -1)
    joined = np.max(earlier * (low[:, None] <= high), axis=-1)  # begins where one before it still goes on
    return np.shape(low)[0] - 1 - np.sum(joined)


def violations(states: Array, clauses: Array) -> Array:
    r"""The energy of a logical formula: how many of its clauses are violated.                        [EBM-5]

    .. math:: Z(\lambda)=\sum_{x\in\{-1,1\}^n}e^{-\lambda E(x)}
              \;\xrightarrow{\lambda\to\infty}\;\#\{x: x\text{ satisfies all clauses}\}

    states: (m, n), true is 1, false -1. clauses: (c, n), 1 where a variable stands in the clause, -1 where
    its negation does, 0 where neither. Returns (m,). Source: Dong-A notes, 'The key challenge'.
    """
    require_last_axis(states=states, clauses=clauses)
    agreements = 0.5 * (states @ np.transpose(clauses) + np.sum(np.abs(clauses), axis=-1))
    return np.sum(np.maximum(1 - agreements, 0.0), axis=-1)


def count_satisfying(violated: Array) -> Array:
    r"""What Z of a logical formula tends to at zero temperature: the number of its solutions.        [EBM-5]

    violated: `violations` of all 2^n states, (..., 2^n). Returns (...). To count them is #P-hard, also where
    it is easy to decide whether there is one (two literals a clause). Source: Valiant 1979.
    """
    return np.sum(violated == 0, axis=-1)
