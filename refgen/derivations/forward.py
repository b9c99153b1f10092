"""Cards of the forward process: one step, two steps, many steps (FWD)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from scipy.linalg import expm

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, rungs, schedules, together
from refgen.derivations.gaussian import log_density
from refgen.formulas import forward
from refgen.sources import HO_2020, KIM, SJTU


def ornstein_uhlenbeck(alpha):
    """Factor and variance of dx = -x/2 dt + dw after the time -log alpha, by one matrix exponential."""
    block = expm(-np.log(alpha) * np.array([[0.5, 1.0], [0.0, -0.5]]))  # Van Loan's: both at once
    return block[1, 1], block[1, 1] * block[0, 1]


def betas(T, smallest=1e-4, largest=0.9):
    return st.lists(alphas(smallest, largest), min_size=T, max_size=T).map(lambda a: 1.0 - np.array(a))


# ---- FWD-1 and FWD-2: one step
@equation(
    "FWD-1/mean",
    title="mean of one forward step",
    formula=forward.step_mean,
    latex=r"E[x_t|x_{t-1}] = \sqrt{\alpha_t}\,x_{t-1} = \sqrt{1-\beta_t}\,x_{t-1}",
    sources=[HO_2020("eq. 2"), KIM("'Diffusion Model'"), SJTU("slides 14, 16 and 18")],
    evidence="algebra",
    how="the step is dx = -x/2 dt + dw run for the time -log alpha: matrix exponential",
    given=rungs(lambda d: together(x_s=points(d), alpha_t=alphas()), 1, 2),
    tolerance=1e-11,
)
def step_mean_solves_the_linear_sde(step_mean, x_s, alpha_t):
    return step_mean(x_s, alpha_t), ornstein_uhlenbeck(alpha_t)[0] * x_s


@misprint(
    "ERR-2",
    of="FWD-1/mean",
    printed=r"q(z_t|z_{t-1}) = N(z_t; \sqrt{\alpha_t}, (1-\alpha_t)I)",
    correct=r"q(z_t|z_{t-1}) = N(z_t; \sqrt{\alpha_t}\,z_{t-1}, (1-\alpha_t)I)",
    source=KIM("'Diffusion Model', definition of the encoder"),
    why="the mean has lost z_{t-1}, so that z_t would not depend on it at all",
)
def step_mean_without_its_argument(x_s, alpha_t):
    return np.full_like(x_s, alpha_t**0.5)


@mutant("no-root", of="FWD-1/mean", why="alpha_t x_{t-1} without the root: the variance is not preserved")
def step_mean_without_root(x_s, alpha_t):
    return alpha_t * x_s


@equation(
    "FWD-1/variance",
    title="variance of one forward step",
    formula=forward.step_var,
    latex=r"\mathrm{Var}(x_t|x_{t-1}) = 1-\alpha_t = \beta_t",
    sources=[HO_2020("eq. 2"), KIM("'Diffusion Model'"), SJTU("slides 14, 16 and 18")],
    evidence="algebra",
    how="the step is dx = -x/2 dt + dw run for the time -log alpha: matrix exponential",
    given=together(alpha_t=alphas()),
    tolerance=1e-12,
)
def step_var_solves_the_linear_sde(step_var, alpha_t):
    return step_var(alpha_t), ornstein_uhlenbeck(alpha_t)[1]


@mutant("std", of="FWD-1/variance", why="sqrt(1 - alpha_t), the std, where the variance belongs")
def step_var_as_std(alpha_t):
    return (1 - alpha_t) ** 0.5


@mutant(
    "of-roots", of="FWD-1/variance", why="1 - sqrt(alpha_t): the noise that complements the signal linearly"
)
def step_var_of_roots(alpha_t):
    return 1 - alpha_t**0.5


@equation(
    "FWD-2",
    title="one forward step drawn with noise",
    formula=forward.step,
    latex=r"x_t = \sqrt{\alpha_t}\,x_{t-1}+\sqrt{1-\alpha_t}\,\epsilon,\quad \epsilon\sim N(0,I)",
    sources=[KIM("'Diffusion Model'"), SJTU("slides 14 and 15")],
    evidence="algebra",
    how="affine in eps: its values at 0 and at the unit vectors are mean and std times eps of the SDE",
    given=rungs(lambda d: together(x_s=points(d), alpha_t=alphas(1e-4)), 1, 2, 3),
    tolerance=1e-11,
)
def drawn_step_has_the_law_of_the_step(step, x_s, alpha_t):
    d = len(x_s)
    centre = step(x_s, np.zeros(d), alpha_t)
    columns = np.stack([step(x_s, e, alpha_t) - centre for e in np.eye(d)], -1)
    factor, var = ornstein_uhlenbeck(alpha_t)
    claimed, derived = np.vstack([centre, columns]), np.vstack([factor * x_s, np.sqrt(var) * np.eye(d)])
    return claimed, derived, np.vstack([1 + abs(x_s), np.ones((d, d)) * (1 + abs(x_s).max())])


@mutant("sign", of="FWD-2", why="noise subtracted: the same law, but the target of training changes its sign")
def step_with_noise_subtracted(x_s, eps, alpha_t):
    return forward.step(x_s, -eps, alpha_t)


@mutant("variance-for-std", of="FWD-2", why="noise times 1 - alpha_t, the variance, for its root")
def step_with_variance_for_std(x_s, eps, alpha_t):
    return alpha_t**0.5 * x_s + (1 - alpha_t) * eps


@mutant("signal-kept", of="FWD-2", why="noise added to x_{t-1} unscaled: the variance grows without end")
def step_with_signal_kept(x_s, eps, alpha_t):
    return x_s + (1 - alpha_t) ** 0.5 * eps


# ---- FWD-4: two steps in one
@equation(
    "FWD-4",
    title="two forward steps as one, path by path",
    formula=forward.diffuse,
    latex=r"x_t = \sqrt{\alpha_t\alpha_{t-1}}\,x_{t-2}+\sqrt{\alpha_t-\alpha_t\alpha_{t-1}}\,\epsilon_1"
    r"+\sqrt{1-\alpha_t}\,\epsilon_2 = \sqrt{\alpha_t\alpha_{t-1}}\,x_{t-2}"
    r"+\sqrt{1-\alpha_t\alpha_{t-1}}\,\epsilon",
    sources=[KIM("'Diffusion Model'"), SJTU("slide 15")],
    evidence="algebra",
    how="the two steps made one after the other, and one step with the two noises merged",
    given=rungs(
        lambda d: together(x=points(d), eps_1=points(d), eps_2=points(d), alpha_s=alphas(), alpha_t=alphas()),
        1,
        2,
    ),
    tolerance=1e-12,
)
def two_steps_are_one(diffuse, x, eps_1, eps_2, alpha_s, alpha_t):
    between = np.sqrt(alpha_s) * x + np.sqrt(1 - alpha_s) * eps_1
    derived = np.sqrt(alpha_t) * between + np.sqrt(1 - alpha_t) * eps_2
    var_1, var_2 = alpha_t * (1 - alpha_s), 1 - alpha_t
    std = float(np.sqrt(var_1 + var_2))
    merged = (np.sqrt(var_1) * eps_1 + np.sqrt(var_2) * eps_2) / std
    claimed = diffuse(x, merged, float(np.sqrt(alpha_s * alpha_t)), std)
    return claimed, derived, 1 + abs(x) + abs(eps_1) + abs(eps_2)


@mutant("variance-for-std", of="FWD-4", why="noise times its variance, 1 - alpha_t alpha_{t-1}, for the root")
def diffuse_with_variance_for_std(x_0, eps, signal, std):
    return signal * x_0 + std**2 * eps


@equation(
    "FWD-4/variance",
    title="noise of two steps, without subtracting two numbers near one",
    formula=forward.noise_var,
    latex=r"\alpha_t(1-\bar\alpha_{t-1}) + (1-\alpha_t) = 1-\alpha_t\bar\alpha_{t-1}",
    sources=[KIM("'Diffusion Model'"), SJTU("slide 15")],
    evidence="algebra",
    how="1 - alpha_t alpha_bar_s in exact fractions",
    given=together(alpha_t=alphas(), alpha_bar_s=levels()),
    tolerance=1e-15,
    reject_at=1e-13,
    tolerance32=None,  # numbers, not arrays; and one of the wrong forms is wrong in its last digits only
)
def noise_of_two_steps_in_fractions(noise_var, alpha_t, alpha_bar_s):
    return noise_var(alpha_t, alpha_bar_s), float(1 - Fraction(alpha_t) * Fraction(alpha_bar_s))


@mutant(
    "subtraction", of="FWD-4/variance", why="1 - a * b as it stands: near clean data most digits are lost"
)
def noise_var_by_subtraction(alpha_t, alpha_bar_s):
    return 1 - alpha_t * alpha_bar_s


@mutant("not-shrunk", of="FWD-4/variance", why="the two variances added, the first not shrunk by alpha_t")
def noise_var_not_shrunk(alpha_t, alpha_bar_s):
    return (1 - alpha_t) + (1 - alpha_bar_s)


# ---- FWD-5: t steps in one
@equation(
    "FWD-5",
    title="t forward steps in one",
    formula=forward.diffuse,
    latex=r"q(x_t|x_0) = N(x_t; \sqrt{\bar\alpha_t}\,x_0, (1-\bar\alpha_t)I),\quad "
    r"x_t = \sqrt{\bar\alpha_t}\,x_0+\sqrt{1-\bar\alpha_t}\,\epsilon",
    sources=[HO_2020("eq. 4"), KIM("'Diffusion Model'"), SJTU("slides 15, 18 and 22")],
    evidence="algebra",
    how="the chain run step by step: where x_0 goes, and the sum of squares of what each noise becomes",
    given=rungs(lambda T, d: together(beta=betas(T), x_0=points(d)), (1, 1), (2, 1), (4, 2), (8, 2)),
    tolerance=1e-12,
)
def many_steps_are_one(diffuse, beta, x_0):
    mean, carried = x_0, np.zeros(0)
    for b in beta:
        mean, carried = np.sqrt(1 - b) * mean, np.append(np.sqrt(1 - b) * carried, np.sqrt(b))
    signal = float(np.sqrt(forward.alpha_bar(beta)[-1]))
    std = float(np.sqrt(forward.one_minus_alpha_bar(beta)[-1]))
    centre = diffuse(x_0, np.zeros_like(x_0), signal, std)
    spread = diffuse(np.zeros(1), np.ones(1), signal, std) ** 2
    return np.append(centre, spread), np.append(mean, carried @ carried), np.append(np.abs(x_0) + 1e-3, 1.0)


@mutant("no-roots", of="FWD-5", why="alpha_bar x_0 + (1 - alpha_bar) eps: both roots are missing")
def diffuse_without_roots(x_0, eps, signal, std):
    return signal**2 * x_0 + std**2 * eps


@mutant("straight", of="FWD-5", why="(1 - std) x_0 + std eps: the path of another process, flow matching")
def diffuse_straight(x_0, eps, signal, std):
    return (1 - std) * x_0 + std * eps


@equation(
    "FWD-5/variance",
    title="noise of t steps, accurate however close to clean data",
    formula=forward.one_minus_alpha_bar,
    latex=r"1-\bar\alpha_t = \alpha_t(1-\bar\alpha_{t-1}) + \beta_t",
    sources=[HO_2020("eq. 4"), SJTU("slide 15")],
    evidence="algebra",
    how="the recursion of the variance, a sum of positive terms, step by step",
    given=[*rungs(lambda T: together(beta=betas(T, 1e-9, 1e-6)), 1, 3), *schedules(1)],
    tolerance=1e-13,
    examples=40,
    tolerance32=None,  # one of the wrong forms is wrong in its last digits only
)
def noise_by_recursion(one_minus_alpha_bar, beta):
    var, derived = 0.0, []
    for b in beta:
        var = var - b * var + b
        derived.append(var)
    return one_minus_alpha_bar(beta), np.array(derived)


@mutant("subtraction", of="FWD-5/variance", why="1 - cumprod(1 - beta): the digits of a small beta are lost")
def one_minus_alpha_bar_by_subtraction(beta):
    return 1 - np.cumprod(1 - beta)


@mutant("sum", of="FWD-5/variance", why="the betas added up, as if no step shrank the noise of those before")
def one_minus_alpha_bar_as_sum(beta):
    return np.cumsum(beta)


# ---- FWD-8: the whole path
@equation(
    "FWD-8",
    title="the density of a noisy path is a product of steps",
    formula=forward.path_log_prob,
    latex=r"q(x_{1:T}|x_0) = \prod_{t=1}^T q(x_t|x_{t-1})",
    sources=[HO_2020("eq. 2"), SJTU("slide 14"), KIM("'Diffusion Model'")],
    evidence="algebra",
    how="the joint Gaussian of x_1..x_T given x_0, with its covariance assembled from the map of the noises",
    given=rungs(
        lambda T, d: together(
            beta=betas(T, 1e-3),
            x_0=points(d),
            eps=st.lists(points(d, -3, 3), min_size=T, max_size=T).map(np.stack),
        ),
        (1, 1),
        (2, 1),
        (3, 2),
        (8, 2),
    ),
    tolerance=1e-10,
    examples=50,
)
def path_density_is_the_joint_gaussian(path_log_prob, beta, x_0, eps):
    T, signals = len(beta), np.sqrt(1 - beta)
    mean, noise_map = np.zeros(T), np.zeros((T, T))
    for t in range(T):
        mean[t] = np.prod(signals[: t + 1])
        for i in range(t + 1):
            noise_map[t, i] = np.sqrt(beta[i]) * np.prod(signals[i + 1 : t + 1])
    means, cov = mean[:, None] * x_0, noise_map @ noise_map.T
    path = means + noise_map @ eps
    derived = sum(log_density(path[:, j], means[:, j], cov) for j in range(len(x_0)))
    scale = np.sum(eps**2) + len(x_0) * np.sum(1 + abs(np.log(beta)))
    # Rounding x_t by a part in 2^53 moves the density by |x_t| over the std of the step.
    scale += np.sum(abs(eps) * (1 + abs(x_0)) / np.sqrt(beta)[:, None])
    return path_log_prob(np.vstack([x_0, path]), 1 - beta), derived, scale


@mutant("marginals", of="FWD-8", why="the product of q(x_t|x_0): every point conditioned on the start")
def path_log_prob_of_marginals(x, alpha):
    alpha_bar = np.cumprod(alpha)
    log_probs = [
        forward.path_log_prob(np.stack([x[0], x[t]]), alpha_bar[t - 1 : t]) for t in range(1, len(x))
    ]
    return sum(log_probs)


@mutant("last-step-missing", of="FWD-8", why="T points but T - 1 factors: the product ends one step early")
def path_log_prob_without_last(x, alpha):
    return forward.path_log_prob(x[:-1], alpha[:-1])
