"""Cards of the variance of a reverse step: two named choices and the best one between (DDPM-3, DDPM-7)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, positives, schedules, together
from refgen.derivations import line
from refgen.derivations.ancestral import VARIANCES, forward_moments, schedule_of
from refgen.formulas import variance as choices
from refgen.samplers import ancestral
from refgen.sources import BAO_2022, FIELD, HO_2020, SJTU


@equation(
    "DDPM-3",
    title="two variances, exact for a point and for N(0, I)",
    formula=ancestral.step_variances,
    latex=r"\tilde\beta_t=\mathrm{Var}[x_{t-1}\mid x_t]\ (x_0\text{ fixed}),\qquad"
    r"\beta_t=\mathrm{Var}[x_{t-1}\mid x_t]\ (x_0\sim N(0,I))",
    sources=[HO_2020("section 3.2"), SJTU("slides 19, 22 and 23"), FIELD("which of the two a program means")],
    evidence="algebra",
    how="conditioning x_s on x_t, precisions adding, for data of variance 0 and 1",
    given=[together(schedule=s, variance=VARIANCES) for s in schedules()],
    tolerance=1e-10,
    tolerance32=None,  # no arrays go in
)
def variances_are_those_of_two_laws(variances_of, schedule, variance):
    beta = schedule["beta"]
    _, before = forward_moments(beta, 0.0, 0.0 if variance == "small" else 1.0)
    spread = np.array(before[:-1])
    derived = spread / (1 + spread * (1 - beta) / beta)
    return variances_of(schedule_of(beta), variance), np.concatenate([[0.0], derived])


@misprint(
    "ERR-25",
    of="DDPM-3",
    printed=r"\hat\sigma_{t-1}=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    correct=r"\hat\sigma_{t-1}^2=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    source=SJTU("slide 23; slide 19 has it right"),
    why="what is printed as the standard deviation is the variance; read so, the variance is its square",
)
def square_of_the_variance(schedule, variance):
    right = ancestral.step_variances(schedule, variance)
    return right**2 if variance == "small" else right


@mutant("exchanged", of="DDPM-3", why="beta given out as the posterior variance")
def beta_for_both(schedule, variance):
    return ancestral.step_variances(schedule, "large")


@mutant("shifted", of="DDPM-3", why="off by one: the variance of the step after it")
def variances_of_the_next_step(schedule, variance):
    return np.roll(ancestral.step_variances(schedule, variance), -1)


# What is left to know of x_s once x_t is known, on average: the variance that a reverse step should have.
def step_integrals(law, alpha_t, alpha_bar_s):
    """E Var[x_s|x_t] and E score^2 of one coordinate, by sums over x_s and x_t."""
    law_s = line.noisy(law, np.sqrt(alpha_bar_s), np.sqrt(1 - alpha_bar_s))
    root, std = np.sqrt(alpha_t), np.sqrt(1 - alpha_t)
    x_s, x_t, mass = line.joint(law_s, root, std)
    mass_t = mass.sum(0)
    mean = (x_s @ mass) / np.where(mass_t > 0, mass_t, 1.0)
    spread = np.sum(mass * (x_s[:, None] - mean) ** 2)
    return spread, mass_t @ line.score(x_t, line.noisy(law_s, root, std)) ** 2


def coordinates():
    """A step, and one or two independent coordinates."""
    step = dict(alpha_t=alphas(0.02, 0.9), alpha_bar_s=levels(3.0))
    ones = line.lines(1, 2)
    return [together(first=one, **step) for one in ones] + [together(first=ones[0], second=ones[0], **step)]


@equation(
    "DDPM-7",
    title="the best isotropic variance of a step",
    formula=choices.optimal_var,
    latex=r"\sigma_t^{*2}=\frac{1-\alpha_t}{\alpha_t}"
    r"\Big(1-\frac{1-\alpha_t}dE\lVert\nabla\log q_t\rVert^2\Big)"
    r"=\tfrac1dE\,\mathrm{tr}\,\mathrm{Cov}[x_{t-1}\mid x_t]",
    sources=[BAO_2022("theorem 1")],
    evidence="quadrature",
    how="the variance of x_s given x_t, summed over both, averaged over one or two coordinates",
    given=coordinates(),
    tolerance=1e-8,
    examples=30,
)
def best_variance_is_what_is_left(optimal_var, alpha_t, alpha_bar_s, first, second=None):
    laws = [first["law"]] + ([second["law"]] if second else [])
    spreads, squares = zip(*[step_integrals(law, alpha_t, alpha_bar_s) for law in laws], strict=True)
    scale = (1 - alpha_t) / alpha_t
    return optimal_var(alpha_t, np.mean(squares)), np.mean(spreads), scale


@mutant("unscaled", of="DDPM-7", why="the division by alpha forgotten, which only a small beta forgives")
def best_variance_unscaled(alpha_t, mean_square_score):
    return (1 - alpha_t) * (1 - (1 - alpha_t) * mean_square_score)


@mutant("score", of="DDPM-7", why="the mean square of the score not multiplied by beta")
def best_variance_without_beta(alpha_t, mean_square_score):
    return (1 - alpha_t) / alpha_t * (1 - mean_square_score)


@equation(
    "DDPM-7/bounds",
    title="it lies between the two named variances",
    formula=choices.optimal_var_bounds,
    latex=r"\tilde\beta_t\le\sigma_t^{*2}\le\beta_t\ (v\le1),\qquad\sigma_t^{*2}\le\beta_t"
    r"\frac{\bar\alpha_{t-1}v+1-\bar\alpha_{t-1}}{\bar\alpha_tv+1-\bar\alpha_t}\le\frac{1-\alpha_t}{\alpha_t}",
    sources=[BAO_2022("theorem 2"), FIELD("the posterior's variance against beta")],
    evidence="quadrature",
    how="the variance of x_s given x_t by integration; for data of variance v, and for any data",
    given=line.lines(1, 2, alpha_t=alphas(0.02, 0.9), alpha_bar_s=levels(3.0)),
    relation="<=",
    tolerance=1e-9,
    examples=30,
)
def best_variance_is_bracketed(bounds, law, alpha_t, alpha_bar_s):
    spread, _ = step_integrals(law, alpha_t, alpha_bar_s)
    mean = law.weights @ law.means
    data_var = float(law.weights @ (law.stds**2 + (law.means - mean) ** 2))
    lower, upper = bounds(alpha_t, alpha_bar_s, data_var)
    anywhere = bounds(alpha_t, alpha_bar_s)[1]
    claimed, derived = [lower, -upper, -anywhere], [spread, -spread, -spread]
    if data_var <= 1:
        claimed.append(-(1 - alpha_t))
        derived.append(-spread)
    return np.array(claimed), np.array(derived), (1 - alpha_t) / alpha_t


@mutant(
    "small-for-large", of="DDPM-7/bounds", why="beta as the lower bound: the large variance for the small one"
)
def bounds_from_beta(alpha_t, alpha_bar_s, data_var=None):
    return 1 - alpha_t, choices.optimal_var_bounds(alpha_t, alpha_bar_s, data_var)[1]


@mutant(
    "any-data",
    of="DDPM-7/bounds",
    why="beta as the upper bound whatever the data: true for a variance up to one",
)
def bounds_up_to_beta(alpha_t, alpha_bar_s, data_var=None):
    return choices.optimal_var_bounds(alpha_t, alpha_bar_s)[0], 1 - alpha_t


@equation(
    "DDPM-7/equal",
    title="the bounds are reached by points and Gaussians",
    formula=choices.optimal_var_bounds,
    latex=r"\sigma_t^{*2}=\tilde\beta_t\ (x_0\text{ fixed}),\quad"
    r"\sigma_t^{*2}=\beta_t\ (x_0\sim N(0,I)),\quad"
    r"\sigma_t^{*2}\to\frac{1-\alpha_t}{\alpha_t}\ (v\to\infty)",
    sources=[BAO_2022("theorem 2"), HO_2020("section 3.2")],
    evidence="algebra",
    how="conditioning x_s on x_t, precisions adding, for data of variance 0, v, 1 and 1e300",
    given=dict(alpha_t=alphas(1e-4, 0.999), alpha_bar_s=levels(10.0), data_var=positives(1e-3, 1e3)),
    tolerance=1e-10,
)
def bounds_are_reached(bounds, alpha_t, alpha_bar_s, data_var):
    def exact(var):
        before = alpha_bar_s * var + (1 - alpha_bar_s)
        return 1 / (alpha_t / (1 - alpha_t) + 1 / before)

    lower, upper = bounds(alpha_t, alpha_bar_s, data_var)
    claimed = [lower, upper, bounds(alpha_t, alpha_bar_s, 1.0)[1], bounds(alpha_t, alpha_bar_s)[1]]
    return np.array(claimed), np.array([exact(v) for v in (0.0, data_var, 1.0, 1e300)])


@mutant(
    "levels", of="DDPM-7/equal", why="the data's variance scaled by alpha_bar_t in the level before as well"
)
def bounds_at_one_level(alpha_t, alpha_bar_s, data_var=None):
    lower, anywhere = choices.optimal_var_bounds(alpha_t, alpha_bar_s)
    if data_var is None:
        return lower, anywhere
    signal = alpha_t * alpha_bar_s * data_var
    return lower, (1 - alpha_t) * (signal + 1 - alpha_bar_s) / (signal + 1 - alpha_t * alpha_bar_s)
