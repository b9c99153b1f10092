"""Cards of what Langevin dynamics with a learned score cannot do: its three problems (LAN-6 to LAN-9)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import i0e, i1e, ndtr

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, points, positives, reals, rungs, together
from refgen.derivations import langevin_chain as chain
from refgen.derivations import least_squares, line
from refgen.derivations.reverse_kernel import slope
from refgen.derivations.tweedie import score as score_of
from refgen.formulas import langevin
from refgen.sources import CS167, GARDINER_2009, KIM, SJTU, SONG_2019

PROBLEMS = KIM("'Score-based Generative Model', the three problems")


# ---- LAN-6
@equation(
    "LAN-6/step",
    title="a step with a wrong score",
    formula=langevin.kl_of_score_error,
    latex=r"D_{KL}\big(N(x+c\,s,2cI)\,\Vert\,N(x+c\,\hat s,2cI)\big)=\tfrac c4\lVert\hat s-s\rVert^2",
    sources=[SJTU("'Score-based', sampling by Langevin dynamics"), CS167("score matching and Langevin")],
    evidence="quadrature",
    how="the mean of the log-ratio of the two kernels by a Gauss-Hermite rule, coordinate by coordinate",
    given=rungs(lambda d: together(score=points(d), model=points(d), step=positives(1e-3, 1.0)), 1, 2, 5),
    tolerance=1e-10,
)
def kernels_apart(kl_of_score_error, score, model, step):
    z, weights = hermegauss(5)
    moved = z * math.sqrt(2 * step) + step * score[:, None]
    between = step * (score + model)[:, None] / 2
    log_ratio = (score - model)[:, None] / 2 * (moved - between)  # a difference of squares
    claimed = kl_of_score_error(np.sum((model - score) ** 2), step)
    size = np.abs(score - model) * (math.sqrt(step) + step * (np.abs(score) + np.abs(model)))
    return claimed, np.sum(log_ratio @ weights) / weights.sum(), np.sum(size)


@mutant("square", of="LAN-6/step", why="c^2 / 4: the variance 2c of the kernel forgotten")
def kl_with_squared_step(mean_square, step):
    return step**2 * mean_square / 4


@mutant("half", of="LAN-6/step", why="c / 2: the variance taken for c")
def kl_with_half(mean_square, step):
    return step * mean_square / 2


@equation(
    "LAN-6/bound",
    title="what a wrong score does to x_K: at most this",
    formula=langevin.kl_of_score_error,
    latex=r"D_{KL}(x_K\Vert\hat x_K)\le\tfrac c4\sum_{i<K}\mathbb E\lVert\hat s(x_i)-s(x_i)\rVert^2",
    sources=[SJTU("'Score-based', sampling by Langevin dynamics")],
    relation="<=",
    evidence="algebra",
    how="a Gaussian target and a linear model of its score: both laws of x_K exactly; claimed and derived "
    "with a minus, since the formula is the larger side",
    given=dict(
        x_0=reals(),
        var=positives(0.2, 5.0),
        model_mean=reals(-2, 2),
        model_var=positives(0.2, 5.0),
        step=positives(1e-3, 0.3),
        steps=st.integers(1, 30),
    ),
    tolerance=1e-9,
)
def distance_is_bounded(kl_of_score_error, x_0, var, model_mean, model_var, step, steps):
    (mean, spread), (other, wide), bound = (x_0, 0.0), (x_0, 0.0), 0.0
    for _ in range(steps):
        bend = 1 / model_var - 1 / var
        square = (bend * mean - model_mean / model_var) ** 2 + bend**2 * spread
        bound += kl_of_score_error(np.array(square), step)
        mean, spread = mean * (1 - step / var), spread * (1 - step / var) ** 2 + 2 * step
        other = other + step * (model_mean - other) / model_var
        wide = wide * (1 - step / model_var) ** 2 + 2 * step
    kl = 0.5 * (spread / wide - 1 - math.log(spread / wide) + (mean - other) ** 2 / wide)
    return -bound, -kl, 1 + kl


@mutant("square", of="LAN-6/bound", why="c^2 / 4: far too small where steps are")
def bound_with_squared_step(mean_square, step):
    return step**2 * mean_square / 4


@mutant("half", of="LAN-6/bound", why="c / 8: less than one step from a point departs")
def bound_by_half(mean_square, step):
    return step * mean_square / 8


# ---- LAN-7
def passage(law, start, end):
    """Mean time from one point to another further right, the law's distribution function in closed form."""

    def slowness(y):
        below = law.weights @ ndtr((y - law.means) / law.stds)
        return below * math.exp(-line.log_density(np.array([y]), law)[0])

    return quad(slowness, start, end, limit=400, epsrel=1e-11)[0]


@equation(
    "LAN-7/time",
    title="mean time to another mode",
    formula=langevin.mean_passage_time,
    latex=r"\tau(x)=\int_x^b\frac{dy}{p(y)}\int_{-\infty}^yp(z)\,dz",
    sources=[PROBLEMS, GARDINER_2009("first passage times")],
    evidence="quadrature",
    how="adaptive quadrature, the inner integral by the normal distribution function",
    given=line.lines(end=reals(-2, 3), narrowest=0.5),
    tolerance=3e-4,  # the rule of the formula, of second order, on 4001 points
    tolerance32=None,  # sums of 4001 terms
    reject_at=0.02,
    examples=20,
)
def passage_by_quadrature(mean_passage_time, law, end):
    low = min(np.min(law.means - 8 * law.stds), end - 2.5)  # where little is even beside what is at the end
    x = np.linspace(low, end + 0.5, 4001)
    times = mean_passage_time(line.log_density(x, law), x[1] - x[0])
    picked = [2000, 3000]
    return times[picked], np.array([passage(law, x[i], x[-1]) for i in picked])


@mutant("inverse", of="LAN-7/time", why="p for 1/p in the outer integral: the barrier makes it faster")
def passage_over_a_valley(log_p, spacing):
    return langevin.mean_passage_time(-log_p, spacing)


@mutant("flat", of="LAN-7/time", why="(b - x)^2 / 2: the time of free diffusion, no barrier")
def passage_of_free_diffusion(log_p, spacing):
    left = spacing * np.arange(log_p.shape[-1])[::-1]
    return left**2 / 2


CASES = [
    dict(half_distance=chain.MODES, weight=0.8, step=0.1, steps=1000),
    dict(half_distance=chain.MODES, weight=0.2, step=0.1, steps=1000),
    dict(half_distance=4.0, weight=0.8, step=0.1, steps=4000),
    dict(half_distance=3.0, weight=0.8, step=0.1, steps=1000),
    dict(half_distance=3.0, weight=0.2, step=0.05, steps=2000),
]


@equation(
    "LAN-7/weights",
    title="a chain keeps the weights of its start",
    formula=langevin.mode_weight,
    latex=r"w(t)=w+(w_0-w)\,e^{-t/(w\tau)},\quad\tau\gg t:\ w(t)\approx w_0",
    sources=[PROBLEMS, SONG_2019("section 3.2.2")],
    evidence="oracle",
    how="the law of x_K by transition matrices, from a uniform start, for two normal modes on the diagonal",
    cases=CASES,
    relative=False,
    tolerance=0.01,  # two states for a line of them, and the bias of the step
    reject_at=0.05,
    tolerance32=None,  # numbers, no arrays
)
def weights_of_the_start(mode_weight, half_distance, weight, step, steps):
    law, start = chain.two_modes(weight, half_distance), chain.uniform_start()
    middle = half_distance - 1
    watershed = brentq(lambda y: line.score(np.array([y]), law)[0], -middle, middle)
    began = chain.right_of(watershed, *start)
    tau = passage(law, -half_distance, half_distance)
    ends = chain.advanced(chain.euler, start, [(law, step)], steps)
    return mode_weight(steps * step, began, weight, tau), chain.right_of(watershed, *ends)


@mutant("arrived", of="LAN-7/weights", why="the weights of the target after any number of steps")
def weights_of_the_target(time, weight_0, weight, passage_time):
    return weight


@mutant("steps", of="LAN-7/weights", why="exp(-t/tau): the way back forgotten")
def weights_without_return(time, weight_0, weight, passage_time):
    return weight + (weight_0 - weight) * math.exp(-time / passage_time)


# ---- LAN-8
@equation(
    "LAN-8/line",
    title="score across a flat manifold",
    formula=langevin.normal_score,
    latex=r"s_\perp=-\frac y{\sigma^2}",
    sources=[PROBLEMS, SONG_2019("section 3.1")],
    evidence="autodiff",
    how="points on a line through the origin, blurred; the gradient of the log-density, across the line",
    given=dict(
        on_line=st.lists(reals(), min_size=3, max_size=3).map(np.array),
        weights=laws(3),
        angle=reals(-3, 3),
        along=reals(),
        distance=reals(),
        std=positives(0.05, 10.0),
    ),
    tolerance=1e-9,
    examples=50,
)
def score_across_a_line(normal_score, on_line, weights, angle, along, distance, std):
    tangent = np.array([math.cos(angle), math.sin(angle)])
    normal = np.array([-tangent[1], tangent[0]])
    covs = np.broadcast_to(std**2 * np.eye(2), (3, 2, 2))
    score = score_of(along * tangent + distance * normal, weights, on_line[:, None] * tangent, covs)
    scale = (abs(distance) + abs(along) + np.max(np.abs(on_line))) / std**2
    return normal_score(distance, std), score @ normal, scale


@mutant("std", of="LAN-8/line", why="divided by the std once")
def normal_score_over_std(distance, std):
    return -distance / std


@mutant("sign", of="LAN-8/line", why="away from the data")
def normal_score_away(distance, std):
    return distance / std**2


@equation(
    "LAN-8/circle",
    title="score across a circle: flat up to std^2",
    formula=langevin.normal_score,
    latex=r"s_\perp=-\frac y{\sigma^2}\big(1+O(\sigma^2)\big)",
    sources=[PROBLEMS],
    evidence="order",
    how="the blurred circle in closed form, by Bessel functions, at the stds 0.2, 0.1, 0.05, 0.025",
    cases=[dict(distance=y) for y in (0.3, -0.4, 0.1, 0.5)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def score_across_a_circle(normal_score, distance):
    stds, errors, r = np.array([0.2, 0.1, 0.05, 0.025]), [], 1 + distance
    for std in stds.tolist():
        exact = (i1e(r / std**2) / i0e(r / std**2) - r) / std**2
        errors.append(abs(normal_score(distance, std) / exact - 1))
    return slope(stds[1:], errors[1:]), 2.0


@mutant("std", of="LAN-8/circle", why="divided by the std once: no agreement as the std falls")
def normal_score_of_order_one(distance, std):
    return -distance / std


# ---- LAN-9
@equation(
    "LAN-9",
    title="is the score learned where data are few?",
    formula=langevin.is_learnable,
    latex=r"\hat s\approx s\ \text{near}\ x\quad\text{only where}\quad n\,p(x)\,h^d\ge1",
    sources=[PROBLEMS, SONG_2019("section 3.2.1"), CS167("the challenge of low density")],
    kind="claim",
    evidence="oracle",
    how="denoising score matching by least squares on 5,000 points of two modes: whether its error, times "
    "the std of the law, is below 0.3 at the modes, in the valley between them, and beyond them",
    cases=[dict(place=p, noise=s) for s in (0.3, 0.5) for p in least_squares.PLACES],
)
def learned_where_data_are(is_learnable, place, noise):
    return least_squares.claimed_and_true(is_learnable, place, noise)


@mutant("everywhere", of="LAN-9", why="one loss over all points, taken for an error at every point")
def learned_everywhere(log_density, count, width, d=1):
    return True


@mutant("nowhere", of="LAN-9", why="the number of points left out: a density below one everywhere")
def learned_nowhere(log_density, count, width, d=1):
    return log_density >= 0
