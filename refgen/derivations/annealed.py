"""Cards of noise levels: their order, the process through them, the space they fill (NCSN-1, 2, 7)."""

from __future__ import annotations

import math

import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.tweedie import log_density
from refgen.formulas import annealed, gaussian, mixture
from refgen.sources import CS167, ISACHENKO, KIM, SJTU, SONG_2019, SONG_2021

NCSN = ISACHENKO("'Noise conditioned score network'")
FORWARD = SJTU("'Score-based Diffusion Models', forward diffusion")


# ---- NCSN-1
@equation(
    "NCSN-1/geometric",
    title="levels at a constant ratio",
    formula=annealed.geometric_std,
    latex=r"\sigma_1>\dots>\sigma_L,\quad\frac{\sigma_1}{\sigma_2}=\dots=\frac{\sigma_{L-1}}{\sigma_L}",
    sources=[SONG_2019("section 4.1"), NCSN],
    evidence="algebra",
    how="repeated division by one number, the (L - 1)-th root of the whole ratio",
    given=dict(smallest=positives(1e-3, 1.0), ratio=positives(1.01, 1e4), count=st.integers(2, 10)),
    tolerance=1e-11,
)
def constant_ratio(geometric_std, smallest, ratio, count):
    divisor, std = ratio ** (1 / (count - 1)), [smallest * ratio]
    for _ in range(count - 1):
        std.append(std[-1] / divisor)
    fractions = np.arange(count) / (count - 1)
    return geometric_std(fractions, smallest * ratio, smallest), np.array(std)


@mutant(
    "rising", of="NCSN-1/geometric", why="in the order of noising, where sampling wants the largest first"
)
def rising_std(fraction, largest, smallest):
    return annealed.geometric_std(1 - fraction, largest, smallest)


@mutant("linear", of="NCSN-1/geometric", why="a constant difference: most levels near the largest")
def linear_std(fraction, largest, smallest):
    return largest + fraction * (smallest - largest)


@equation(
    "NCSN-1/order",
    title="are levels in the order of sampling?",
    formula=annealed.levels_fall,
    latex=r"\sigma_1>\sigma_2>\dots>\sigma_L>0",
    sources=[NCSN, CS167("'Noise Conditional Score-Based Model'"), FORWARD],
    kind="claim",
    evidence="algebra",
    how="the list against itself sorted, the largest first, without repetitions",
    cases=[
        dict(std=s)
        for s in ([1.0, 2.0], [2.0, 1.0], [2.0, 1.0, 1.0], [3.0, 0.1, 0.01], [3, 1, 2.0], [1.0, 0.0])
    ],
)
def sorted_levels(levels_fall, std):
    return levels_fall(np.array(std)), min(std) > 0 and std == sorted(set(std), reverse=True)


@mutant("rising", of="NCSN-1/order", why="sigma_1 the smallest, as where they are numbered by noising")
def levels_rise(std):
    return np.all(std[..., :-1] < std[..., 1:], axis=-1)


@mutant("equal", of="NCSN-1/order", why="equal levels let through")
def levels_do_not_rise(std):
    return np.all(std[..., :-1] >= std[..., 1:], axis=-1)


# ---- NCSN-2
def rising(count):
    """Levels in the order of noising, each some way above the one before."""
    return st.lists(positives(0.05, 3.0), min_size=count, max_size=count).map(np.cumsum)


@equation(
    "NCSN-2/step",
    title="noise added step by step",
    formula=annealed.ve_step,
    latex=r"x_i=x_{i-1}+\sqrt{\sigma_i^2-\sigma_{i-1}^2}\,z_{i-1}"
    r"\ \Rightarrow\ x_i\mid x_0\sim N(x_0,\sigma_i^2I)",
    sources=[FORWARD, SONG_2021("section 3.4")],
    evidence="algebra",
    how="x_i as a linear function of all noises: the chain run on unit vectors, whose "
    "squares add up to sigma_i^2",
    given=rungs(lambda n: together(std=rising(n), x_0=reals()), 2, 1, 4),
    tolerance=1e-12,
)
def squares_add_up(ve_step, std, x_0):
    x = np.append(x_0, np.zeros(len(std)))
    last, moments = 0.0, []
    for i, level in enumerate(std.tolist()):
        x = ve_step(x, np.eye(len(std) + 1)[i + 1], level, last)
        last = level
        moments.append([x[0], x[1:] @ x[1:]])
    derived = np.stack([np.full(len(std), x_0), std**2], 1)
    return np.array(moments), derived, np.stack([np.abs(x_0) + std, std**2], 1)


@mutant("whole", of="NCSN-2/step", why="sigma_i z: the whole noise of level i added to what is there already")
def step_with_the_whole_noise(x_s, z, std_t, std_s):
    return x_s + std_t * z


@mutant("difference", of="NCSN-2/step", why="sigma_i - sigma_{i-1}: stds subtracted, where variances add")
def step_with_difference_of_stds(x_s, z, std_t, std_s):
    return x_s + (std_t - std_s) * z


@equation(
    "NCSN-2/kernel",
    title="density of a step: it takes one level to the next",
    formula=annealed.ve_step_log_prob,
    latex=r"\int N(x_i;x_{i-1},(\sigma_i^2-\sigma_{i-1}^2)I)\,N(x_{i-1};x_0,\sigma_{i-1}^2I)\,dx_{i-1}"
    r"=N(x_i;x_0,\sigma_i^2I)",
    sources=[FORWARD, SONG_2021("section 3.4")],
    evidence="quadrature",
    how="a sum over x_{i-1} on a grid",
    given=dict(x_t=reals(), x_0=reals(-1, 1), std_s=positives(0.3, 3.0), ratio=positives(1.1, 4.0)),
    tolerance=1e-10,
    examples=60,
)
def step_takes_one_level_to_the_next(ve_step_log_prob, x_t, x_0, std_s, ratio):
    std_t = ratio * std_s
    reach = np.arange(-10.0, 10.0, 0.5 * min(1.0, math.sqrt(ratio**2 - 1)))
    x_s = (x_0 + std_s * reach)[:, None]
    log_p = ve_step_log_prob(np.full_like(x_s, x_t), x_s, std_t, std_s)
    weights = np.exp(-0.5 * reach**2) / math.sqrt(2 * math.pi) * (reach[1] - reach[0])
    derived = math.exp(-0.5 * ((x_t - x_0) / std_t) ** 2) / (std_t * math.sqrt(2 * math.pi))
    return weights @ np.exp(log_p), derived, 1 / std_t


@misprint(
    "ERR-30",
    of="NCSN-2/kernel",
    printed=r"p(x_i\mid x_{i-1})=N(x_{i-1};(\sigma_i^2-\sigma_{i-1}^2)I)",
    correct=r"p(x_i\mid x_{i-1})=N(x_i;\ x_{i-1},(\sigma_i^2-\sigma_{i-1}^2)I)",
    source=FORWARD,
    why="the variable is gone; as N(variable; mean) it is a density of x_{i-1} about the "
    "variance, of unit width",
)
def density_about_the_variance(x_t, x_s, std_t, std_s):
    return gaussian.log_prob_isotropic(x_s, 0 * x_s + (std_t**2 - std_s**2), 1.0)


@misprint(
    "ERR-30/centred",
    of="NCSN-2/kernel",
    printed=r"p(x_i\mid x_{i-1})=N(x_{i-1};(\sigma_i^2-\sigma_{i-1}^2)I)",
    correct=r"p(x_i\mid x_{i-1})=N(x_i;\ x_{i-1},(\sigma_i^2-\sigma_{i-1}^2)I)",
    source=FORWARD,
    why="the variable is gone; as a density of x_{i-1} about 0 it does not know x_i at all",
)
def density_of_the_level_before(x_t, x_s, std_t, std_s):
    return gaussian.log_prob_isotropic(x_s, 0 * x_s, std_t**2 - std_s**2)


@equation(
    "NCSN-2/marginal",
    title="variance of x_i given x_0: the first level counts",
    formula=annealed.ve_marginal_var,
    latex=r"\mathrm{Var}(x_i\mid x_0)=\sum_{j=1}^i(\sigma_j^2-\sigma_{j-1}^2)=\sigma_i^2-\sigma_0^2",
    sources=[FORWARD],
    evidence="algebra",
    how="the variances of the steps, added up one by one",
    given=rungs(
        lambda n: together(
            steps=rising(n), std_0=st.one_of(st.sampled_from([0.0, 1.0]), positives(0.01, 2.0))
        ),
        1,
        2,
        4,
    ),
    tolerance=1e-11,
)
def increments_add_up(ve_marginal_var, steps, std_0):
    std = std_0 + np.append(0.0, steps)
    derived = np.cumsum(np.diff(std) ** 2 + 2 * std[:-1] * np.diff(std))
    return ve_marginal_var(std[1:], std_0), derived


@misprint(
    "ERR-31",
    of="NCSN-2/marginal",
    printed=r"p_{\sigma_i}(x_i\mid x_0)=N(x_i;x_0,\sigma_i^2I),\quad "
    r"x_i=x_{i-1}+\sqrt{\sigma_i^2-\sigma_{i-1}^2}\,z_{i-1},\quad i=1,\dots,N",
    correct=r"\text{the same with }\sigma_0=0",
    source=FORWARD,
    why="sigma_0 is not said to be 0; where it is another number, x_i is less noisy than sigma_i says",
)
def marginal_var_whatever_the_first_level(std, std_0):
    return std**2


# ---- NCSN-7
CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], 1)
CROWD = dict(x=points(2, -30, 30), std=positives(0.1, 10.0))


@equation(
    "NCSN-7/score",
    title="noise fills the space: a score everywhere",
    formula=mixture.score,
    latex=r"\sigma>0\ \Rightarrow\ \nabla\log q_\sigma(x)\ \text{is finite, for data on a circle too}",
    sources=[KIM("'Score-based Generative Model', what noise repairs"), SONG_2019("section 3.1")],
    evidence="autodiff",
    how="sixteen points of a circle, blurred; the log-density differentiated, up to 30 from it",
    given=CROWD,
    tolerance=1e-10,
)
def score_of_a_blurred_circle(score, x, std):
    weights, covs = np.full(16, 1 / 16), np.broadcast_to(std**2 * np.eye(2), (16, 2, 2))
    claimed = score(x, weights, CIRCLE, np.array(std**2))
    return claimed, grad(log_density)(x, weights, CIRCLE, covs), (1 + np.max(np.abs(x))) / std**2


@mutant(
    "naive",
    of="NCSN-7/score",
    why="the density's derivative over the density, kept from 0 / 0: towards the origin where it underflows",
)
def score_as_a_ratio(x, weights, means, covs):
    p = weights * np.exp(-0.5 * np.sum((x - means) ** 2, axis=-1) / covs)
    return (p @ means / (np.sum(p) + 1e-300) - x) / covs


@mutant("nearest", of="NCSN-7/score", why="the nearest point alone, as if there were no others")
def score_of_the_nearest(x, weights, means, covs):
    return (means[np.argmin(np.sum((x - means) ** 2, axis=-1))] - x) / covs


@equation(
    "NCSN-7/density",
    title="noise fills the space: a density everywhere",
    formula=mixture.log_prob,
    latex=r"\sigma>0\ \Rightarrow\ \log q_\sigma(x)>-\infty,\ \text{for data on a circle too}",
    sources=[KIM("'Score-based Generative Model', what noise repairs")],
    evidence="oracle",
    how="the same points: a log of a sum of exponentials, the largest taken out",
    given=CROWD,
    tolerance=1e-11,
)
def density_of_a_blurred_circle(log_prob, x, std):
    weights, covs = np.full(16, 1 / 16), np.broadcast_to(std**2 * np.eye(2), (16, 2, 2))
    derived = log_density(x, weights, CIRCLE, covs)
    return log_prob(x, weights, CIRCLE, np.array(std**2)), derived, 1 + np.sum(x**2) / std**2


@mutant(
    "naive", of="NCSN-7/density", why="the log of the sum itself, kept from log 0: flat where it underflows"
)
def density_that_underflows(x, weights, means, covs):
    p = weights * np.exp(-0.5 * np.sum((x - means) ** 2, axis=-1) / covs) / (2 * np.pi * covs)
    return np.log(np.sum(p) + 1e-300)


@mutant("line", of="NCSN-7/density", why="2 pi sigma^2 to the power 1/2 for any dimension")
def density_normalised_on_a_line(x, weights, means, covs):
    return mixture.log_prob(x, weights, means, covs) + 0.5 * np.log(2 * np.pi * covs)
