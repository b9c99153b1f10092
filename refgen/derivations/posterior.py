"""Cards of the diffusion posterior (POST)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import steps
from refgen.formulas import posterior
from refgen.sources import FIELD, HO_2020, KIM, LUO_2022, SJTU


def condition(mean, cov, observed):
    """Law of the first coordinate of a 2-D Gaussian given the second: the Schur complement."""
    gain = cov[0, 1] / cov[1, 1]
    return mean[0] + gain * (observed - mean[1]), cov[0, 0] - gain * cov[1, 0]


def joint_of_two_steps(x_0, alpha_t, alpha_bar_s):
    """Mean (2, d) and covariance (2, 2) of (x_s, x_t) given x_0, built by the recursion of the chain."""
    a, b = np.sqrt(alpha_t), np.sqrt(alpha_bar_s)
    var_s = 1 - alpha_bar_s
    mean_s = b * x_0
    return np.stack([mean_s, a * mean_s]), np.array(
        [[var_s, a * var_s], [a * var_s, a * a * var_s + (1 - alpha_t)]]
    )


@equation(
    "POST-5/mean",
    title="mean of the forward posterior",
    formula=posterior.posterior_mean,
    latex=r"\mu_q = \frac{\sqrt{\alpha_t}(1-\bar\alpha_{t-1})x_t + \sqrt{\bar\alpha_{t-1}}(1-\alpha_t)x_0}{1-\bar\alpha_t}",
    sources=[HO_2020("eq. 7"), LUO_2022("eq. 84"), KIM("'Diffusion Model'"), SJTU("slide 19")],
    evidence="algebra",
    how="Schur complement of the joint Gaussian of (x_s, x_t) given x_0, built by the recursion",
    given=steps(),
    tolerance=1e-9,
)
def posterior_mean_is_conditioning(posterior_mean, x_t, x_0, alpha_t, alpha_bar_s):
    claimed = posterior_mean(x_t, x_0, alpha_t, alpha_bar_s)
    mean, cov = joint_of_two_steps(x_0, alpha_t, alpha_bar_s)
    derived, _ = condition(mean, cov, x_t)
    return claimed, derived, np.abs(x_0) + np.abs(x_t)


@misprint(
    "ERR-22",
    of="POST-5/mean",
    printed=r"\frac1{\sqrt{\bar\alpha_t}}(x_t-\ldots)",
    correct=r"\frac1{\sqrt{\alpha_t}}(x_t-\ldots)",
    source=SJTU("slide 22"),
    why="placeholder",
)
def posterior_mean_scaled_by_alpha_bar(x_t, x_0, alpha_t, alpha_bar_s):
    return posterior.posterior_mean(x_t, x_0, alpha_t, alpha_bar_s) / np.sqrt(alpha_bar_s)


_ = mutant, FIELD
