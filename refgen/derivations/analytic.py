"""Cards of Analytic-DPM: what a reverse variance costs, and that the best one costs least (SDE-12)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import alphas, levels
from refgen.derivations import line
from refgen.formulas import gaussian, variance
from refgen.sources import BAO_2022, SJTU

CITED = SJTU("the table of faster samplers: Analytic-DPM")


def a_step():
    """A step of a mixture on the line, by rungs."""
    return line.lines(1, 2, alpha_t=alphas(0.02, 0.9), alpha_bar_s=levels(3.0))


class Step:
    """x_s and x_t on grids, with the mass of each pair: everything about a reverse step by sums."""

    def __init__(self, law, alpha_t, alpha_bar_s):
        law_s = line.noisy(law, np.sqrt(alpha_bar_s), np.sqrt(1 - alpha_bar_s))
        x_s, x_t, self.mass = line.joint(law_s, np.sqrt(alpha_t), np.sqrt(1 - alpha_t))
        total = self.mass.sum(0)
        self.away = x_s[:, None] - (x_s @ self.mass) / np.where(total > 0, total, 1.0)
        self.best = np.sum(self.mass * self.away**2)
        self.square_score = (
            total @ line.score(x_t, line.noisy(law_s, alpha_t**0.5, (1 - alpha_t) ** 0.5)) ** 2
        )
        self.small = 1 / (alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s))
        self.large = 1 - alpha_t

    def cost(self, var):
        """-E log N(x_s; E[x_s | x_t], var): the term of minus the bound, in nats."""
        return np.sum(self.mass * 0.5 * (self.away**2 / var + np.log(2 * np.pi * var)))


@equation(
    "SDE-12/excess",
    title="what another variance than the best costs",
    formula=gaussian.kl_variances,
    latex=r"E\,D_{KL}\big(q(x_s\mid x_t)\Vert N(\mu,\sigma^2)\big)-E\,D_{KL}\big(q(x_s\mid x_t)\Vert "
    r"N(\mu,\sigma^{*2})\big)=\tfrac12\Big(\frac{\sigma^{*2}}{\sigma^2}-1-\log\frac{\sigma^{*2}}{\sigma^2}\Big)",
    sources=[BAO_2022("theorem 1"), CITED],
    evidence="quadrature",
    how="the mean of both log-densities, summed over x_s and x_t: beta, the posterior's, the best",
    given=a_step(),
    tolerance=1e-9,
    examples=30,
    tolerance32=None,  # no arrays go in
)
def excess_is_a_divergence(kl_variances, law, alpha_t, alpha_bar_s):
    step = Step(law, alpha_t, alpha_bar_s)
    tried = (step.large, step.small, step.best)
    claimed = [kl_variances(float(step.best), float(var)) for var in tried]
    least = step.cost(step.best)
    return np.array(claimed), np.array([step.cost(var) - least for var in tried]), 1 + abs(least)


@mutant("reversed", of="SDE-12/excess", why="the two variances exchanged: the divergence the other way round")
def excess_reversed(var_0, var_1):
    return gaussian.kl_variances(var_1, var_0)


@mutant("nats", of="SDE-12/excess", why="the one half forgotten")
def excess_twice(var_0, var_1):
    return 2 * gaussian.kl_variances(var_0, var_1)


@equation(
    "SDE-12/analytic",
    title="the best variance by the score costs least",
    formula=variance.optimal_var,
    latex=r"-E\log N(x_s;\mu,\sigma^{*2})\le-E\log N(x_s;\mu,\sigma^2),\qquad"
    r"\sigma^2\in\{\beta,\tilde\beta,E\,\mathrm{Var}[x_s\mid x_t]\},\ \text{equal at the last}",
    sources=[BAO_2022("theorem 1"), CITED],
    evidence="quadrature",
    how="the mean of the log-density, summed over x_s and x_t, at the formula's variance and at these three",
    given=a_step(),
    relation="<=",
    tolerance=1e-9,
    examples=30,
    tolerance32=None,  # no arrays go in
)
def best_variance_costs_least(optimal_var, law, alpha_t, alpha_bar_s):
    step = Step(law, alpha_t, alpha_bar_s)
    claimed = step.cost(optimal_var(alpha_t, float(step.square_score)))
    derived = np.array([step.cost(var) for var in (step.large, step.small, step.best)])
    return np.full(3, claimed), derived, 1 + abs(derived)


@mutant("unscaled", of="SDE-12/analytic", why="the division by alpha forgotten")
def best_variance_unscaled(alpha_t, mean_square_score):
    return alpha_t * variance.optimal_var(alpha_t, mean_square_score)


@mutant("large", of="SDE-12/analytic", why="beta / alpha, what is left where the score is not asked")
def best_variance_without_score(alpha_t, mean_square_score):
    return (1 - alpha_t) / alpha_t
