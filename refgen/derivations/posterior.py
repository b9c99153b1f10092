"""Cards of the posterior of one reverse step, q(x_s | x_t, x_0): mean, variance, first step (POST)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, rungs, steps, together
from refgen.formulas import posterior
from refgen.sources import FIELD, HO_2020, KIM, LUO_2022, SJTU


def conditioned(x_t, x_0, alpha_t, alpha_bar_s):
    """Mean (d,) and variance of x_s given x_t: the Schur complement of the joint Gaussian given x_0.

    The joint of (x_s, x_t) is built by the recursion of the chain. The variance is that of the residual
    x_s - gain x_t, a sum of squares, because the usual difference loses six digits for a beta of 1e-6.
    """
    a, var_s, beta_t = math.sqrt(alpha_t), 1 - alpha_bar_s, 1 - alpha_t
    mean_s = math.sqrt(alpha_bar_s) * x_0
    gain = a * var_s / (a * a * var_s + beta_t)
    return mean_s + gain * (x_t - a * mean_s), (1 - gain * a) ** 2 * var_s + gain**2 * beta_t


# Small steps near clean data, where 1 - alpha_t alpha_bar_s formed by subtraction loses its digits.
_ALMOST_ONE = st.floats(1e-9, 1e-5).map(lambda gap: 1 - gap)
NEAR_CLEAN = together(x_t=points(1), x_0=points(1), alpha_t=_ALMOST_ONE, alpha_bar_s=_ALMOST_ONE)


# ---- POST-5
@equation(
    "POST-5/mean",
    title="mean of the forward posterior",
    formula=posterior.posterior_mean,
    latex=r"\mu_q = \frac{\sqrt{\alpha_t}(1-\bar\alpha_{t-1})x_t + \sqrt{\bar\alpha_{t-1}}(1-"
    r"\alpha_t)x_0}{1-\bar\alpha_t}",
    sources=[HO_2020("eq. 7"), LUO_2022("eq. 84"), KIM("'Diffusion Model'"), SJTU("slide 19")],
    evidence="algebra",
    how="Schur complement of the joint Gaussian of (x_s, x_t) given x_0, built by the recursion",
    given=[*steps(), NEAR_CLEAN],
    tolerance=1e-12,
)
def posterior_mean_is_conditioning(posterior_mean, x_t, x_0, alpha_t, alpha_bar_s):
    mean, _ = conditioned(x_t, x_0, alpha_t, alpha_bar_s)
    return posterior_mean(x_t, x_0, alpha_t, alpha_bar_s), mean, np.abs(x_0) + np.abs(x_t)


@mutant(
    "total-alpha", of="POST-5/mean", why="sqrt(alpha_bar_t) where sqrt(alpha_bar_t / alpha_bar_s) belongs"
)
def posterior_mean_with_total_alpha(x_t, x_0, alpha_t, alpha_bar_s):
    of_x_t, of_x_0 = posterior.mean_coefficients(alpha_t, alpha_bar_s)
    return of_x_t * math.sqrt(alpha_bar_s) * x_t + of_x_0 * x_0


@mutant("swapped", of="POST-5/mean", why="the weights of x_t and x_0 exchanged")
def posterior_mean_swapped(x_t, x_0, alpha_t, alpha_bar_s):
    return posterior.posterior_mean(x_0, x_t, alpha_t, alpha_bar_s)


@equation(
    "POST-5/variance",
    title="variance of the forward posterior",
    formula=posterior.posterior_var,
    latex=r"\Sigma_q(t) = \frac{(1-\alpha_t)(1-\bar\alpha_{t-1})}{1-\bar\alpha_t} I",
    sources=[HO_2020("eq. 7"), LUO_2022("eq. 85"), KIM("'Diffusion Model'"), SJTU("slide 19")],
    evidence="algebra",
    how="variance of x_s minus its regression on x_t, in the joint Gaussian built by the recursion",
    given=[
        together(alpha_t=alphas(), alpha_bar_s=levels()),
        together(alpha_t=_ALMOST_ONE, alpha_bar_s=_ALMOST_ONE),
    ],
    tolerance=1e-12,
)
def posterior_variance_is_conditioning(posterior_var, alpha_t, alpha_bar_s):
    return posterior_var(alpha_t, alpha_bar_s), conditioned(0.0, 0.0, alpha_t, alpha_bar_s)[1]


@mutant(
    "beta", of="POST-5/variance", why="beta_t, the variance of the forward step, taken for the posterior's"
)
def posterior_var_is_beta(alpha_t, alpha_bar_s):
    return 1 - alpha_t


@mutant("precedence", of="POST-5/variance", why="1 - a / 1 - b typed for (1 - a) / (1 - b)")
def posterior_var_without_brackets(alpha_t, alpha_bar_s):
    return (1 - alpha_bar_s / 1.0 - alpha_t * alpha_bar_s) * (1 - alpha_t)


@mutant("std", of="POST-5/variance", why="the standard deviation returned as the variance")
def posterior_var_is_std(alpha_t, alpha_bar_s):
    return math.sqrt(posterior.posterior_var(alpha_t, alpha_bar_s))


def _grids(T):
    inner = st.sets(st.integers(1, max(T - 1, 1)), max_size=min(T - 1, 4))
    grid = inner.map(lambda inside: np.array([T, *sorted(inside - {T}, reverse=True), 0]))
    betas = st.lists(alphas(1e-3, 0.9), min_size=T, max_size=T).map(lambda a: 1.0 - np.array(a))
    return together(beta=betas, grid=grid)


@equation(
    "POST-5/grid",
    title="posterior mean on a grid that leaves steps out",
    formula=posterior.steps_of_grid,
    latex=r"q(x_s\mid x_t,x_0):\ \alpha_{t\mid s} = \bar\alpha_t/\bar\alpha_s",
    sources=[HO_2020("eq. 7"), FIELD("samplers with fewer steps")],
    evidence="algebra",
    how="the joint Gaussian of x_1..x_T given x_0, from all T single steps, conditioned on x_t",
    given=[
        *rungs(_grids, 2, 3, 5),
        together(beta=st.just(np.linspace(1e-3, 0.3, 10)), grid=st.just(np.array([10, 7, 4, 1, 0]))),
    ],
    tolerance=1e-11,
)
def grid_of_levels_is_conditioning(steps_of_grid, beta, grid):
    T = len(beta)
    alpha_bar = np.concatenate([[1.0], np.cumprod(1 - beta)])
    alpha_t, alpha_bar_s = steps_of_grid(alpha_bar, grid)
    claimed = np.stack(posterior.mean_coefficients(alpha_t, alpha_bar_s))
    # x_t = root_t x_0 + the noise of all steps so far; cov[t, u] of the noises, index 0 clean.
    root, cov = np.ones(T + 1), np.zeros((T + 1, T + 1))
    for t in range(1, T + 1):
        a = math.sqrt(1 - beta[t - 1])
        root[t] = a * root[t - 1]
        cov[t, :t] = cov[:t, t] = a * cov[t - 1, :t]
        cov[t, t] = a * a * cov[t - 1, t - 1] + beta[t - 1]
    t, s = grid[:-1], grid[1:]
    gain = cov[s, t] / cov[t, t]
    return claimed, np.stack([gain, root[s] - gain * root[t]]), np.ones_like(claimed)


@mutant("own-stride", of="POST-5/grid", why="s recomputed as t - T // N, off wherever the grid is not even")
def steps_with_their_own_stride(alpha_bar, grid):
    s = np.maximum(grid[:-1] - (len(alpha_bar) - 1) // (len(grid) - 1), 0)
    return alpha_bar[grid[:-1]] / alpha_bar[s], alpha_bar[s]


@mutant("one-step", of="POST-5/grid", why="s taken as t - 1 on a grid that leaves steps out")
def steps_of_one(alpha_bar, grid):
    return alpha_bar[grid[:-1]] / alpha_bar[grid[:-1] - 1], alpha_bar[grid[:-1] - 1]


# ---- POST-6
@equation(
    "POST-6",
    title="posterior variance by precisions",
    formula=posterior.var_from_precisions,
    latex=r"\hat\sigma_{t-1}^2 = 1/\big(\tfrac{\alpha_t}{\beta_t}+\tfrac1{1-\bar\alpha_{t-1}}\big)"
    r" = \tfrac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    sources=[SJTU("slides 19 and 23")],
    evidence="algebra",
    how="variance of x_s minus its regression on x_t, in the joint Gaussian built by the recursion",
    given=dict(alpha_t=alphas(), alpha_bar_s=levels()),
    tolerance=1e-12,
)
def precisions_add(var_from_precisions, alpha_t, alpha_bar_s):
    return var_from_precisions(alpha_t, alpha_bar_s), conditioned(0.0, 0.0, alpha_t, alpha_bar_s)[1]


@misprint(
    "ERR-25",
    of="POST-6",
    printed=r"\hat\sigma_{t-1} = 1/\big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\big)",
    correct=r"\hat\sigma_{t-1}^2 = 1/\big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\big)",
    source=SJTU("slide 23"),
    why="the variance is printed as the standard deviation, so the variance would be its square; "
    "Algorithm 2 on the same slide multiplies the noise by it",
)
def variance_printed_as_std(alpha_t, alpha_bar_s):
    std = 1 / (alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s))
    return std**2


@equation(
    "POST-6/bound",
    title="posterior variance is at most beta",
    formula=posterior.posterior_var,
    latex=r"\hat\sigma_{t-1}^2 \le \beta_t",
    sources=[HO_2020("section 3.2"), SJTU("slide 19")],
    evidence="algebra",
    how="1 - alpha_bar grows with t, so the ratio is at most one",
    given=dict(alpha_t=alphas(), alpha_bar_s=levels()),
    relation="<=",
    tolerance=1e-12,
)
def posterior_variance_is_below_beta(posterior_var, alpha_t, alpha_bar_s):
    return posterior_var(alpha_t, alpha_bar_s), 1 - alpha_t


@mutant("upside-down", of="POST-6/bound", why="(1 - alpha_bar_t) / (1 - alpha_bar_s), the ratio upside down")
def posterior_var_upside_down(alpha_t, alpha_bar_s):
    return (1 - alpha_t) ** 2 / posterior.posterior_var(alpha_t, alpha_bar_s)


@equation(
    "POST-6/reached",
    title="posterior variance is beta where no signal is left",
    formula=posterior.posterior_var,
    latex=r"\bar\alpha_{t-1}=0\ \Rightarrow\ \hat\sigma_{t-1}^2 = \beta_t",
    sources=[HO_2020("section 3.2")],
    evidence="algebra",
    how="with x_s from N(0, I) the chain is stationary, and a step back has the variance of a step forward",
    given=dict(alpha_t=alphas()),
    tolerance=1e-12,
)
def posterior_variance_reaches_beta(posterior_var, alpha_t):
    squared_correlation = Fraction(alpha_t)  # of x_s and x_t, both of variance one; the residual is exact
    return posterior_var(alpha_t, 0.0), float(1 - squared_correlation)


@mutant("squared", of="POST-6/reached", why="beta_t taken for the std, so that the variance is its square")
def posterior_var_squared(alpha_t, alpha_bar_s):
    return (1 - alpha_t) ** 2


# ---- POST-10
@equation(
    "POST-10/mean",
    title="first step: the posterior is x_0 itself",
    formula=posterior.posterior_mean,
    latex=r"\bar\alpha_0=1\ \Rightarrow\ q(x_0\mid x_1,x_0)=\delta_{x_0}",
    sources=[SJTU("slide 23")],
    evidence="algebra",
    how="what is given is known",
    given=rungs(lambda d: together(x_t=points(d), x_0=points(d), alpha_t=alphas()), 1, 2, 5),
    tolerance=1e-13,
)
def first_posterior_is_the_data(posterior_mean, x_t, x_0, alpha_t):
    return posterior_mean(x_t, x_0, alpha_t, 1.0), x_0


@mutant("shifted", of="POST-10/mean", why="a table of alpha_bar without its first 1: alpha_bar_s is alpha_1")
def first_posterior_shifted(x_t, x_0, alpha_t, alpha_bar_s):
    return posterior.posterior_mean(x_t, x_0, alpha_t, min(alpha_bar_s, alpha_t))


@equation(
    "POST-10/variance",
    title="first step: no variance is left",
    formula=posterior.posterior_var,
    latex=r"\bar\alpha_0=1\ \Rightarrow\ \hat\sigma_0^2=0",
    sources=[SJTU("slide 23")],
    evidence="algebra",
    how="what is given is known",
    given=dict(alpha_t=alphas()),
    tolerance=1e-13,
)
def first_variance_is_zero(posterior_var, alpha_t):
    return posterior_var(alpha_t, 1.0), 0.0, 1 - alpha_t


@mutant("beta", of="POST-10/variance", why="noise of variance beta_1 added at the last step of a sampler")
def first_variance_is_beta(alpha_t, alpha_bar_s):
    return 1 - alpha_t


@mutant(
    "shifted", of="POST-10/variance", why="a table of alpha_bar without its first 1: alpha_bar_s is alpha_1"
)
def first_variance_shifted(alpha_t, alpha_bar_s):
    return posterior.posterior_var(alpha_t, min(alpha_bar_s, alpha_t))


@equation(
    "POST-10/denoiser",
    title="first step: the mean is the denoiser",
    formula=posterior.mean_from_eps,
    latex=r"\mu_\theta(x_1,1) = \tfrac1{\sqrt{\alpha_1}}(x_1-\sqrt{1-\alpha_1}\,\epsilon_\theta) = \hat "
    r"x_0(x_1)",
    sources=[SJTU("slide 23")],
    evidence="algebra",
    how="the x_0 that solves x_1 = sqrt(alpha_1) x_0 + sqrt(1 - alpha_1) eps, by a linear solver",
    given=rungs(lambda d: together(x_1=points(d), eps=points(d), alpha_1=alphas()), 1, 2, 5),
    tolerance=1e-12,
)
def first_mean_is_the_denoiser(mean_from_eps, x_1, eps, alpha_1):
    d, std = len(x_1), math.sqrt(1 - alpha_1)
    derived = np.linalg.solve(math.sqrt(alpha_1) * np.eye(d), x_1 - std * eps)
    return (
        mean_from_eps(x_1, eps, alpha_1, 1.0),
        derived,
        (np.abs(x_1) + std * np.abs(eps)) / math.sqrt(alpha_1),
    )


@mutant("beta", of="POST-10/denoiser", why="beta_1 for its root before the noise")
def first_mean_with_beta(x_t, eps, alpha_t, alpha_bar_s):
    return (x_t - (1 - alpha_t) * eps) / math.sqrt(alpha_t)
