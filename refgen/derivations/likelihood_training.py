"""Cards of what the loss weighted by g^2 bounds, on Gaussian marginals and affine scores (SYS-44)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.formulas import likelihood
from refgen.sources import SONG_2021_LIKELIHOOD, SONG_NOTES

LECTURE = SONG_NOTES("further work: training by maximum likelihood")
NODES, WEIGHTS = (half / 2 for half in np.polynomial.legendre.leggauss(40))


class Data(NamedTuple):
    """A Gaussian with independent coordinates under noise of a constant rate beta for a time T."""

    mean: np.ndarray
    var: np.ndarray
    beta: float
    T: float


def data(d):
    variances = st.lists(positives(0.3, 3.0), min_size=d, max_size=d).map(np.array)
    return st.builds(Data, points(d, -2, 2), variances, positives(0.5, 3.0), positives(0.3, 2.0))


def moments(law, t):
    """Mean and variance of x_t; t: a number, or (..., 1)."""
    kept = np.exp(-law.beta * t)
    return np.sqrt(kept) * law.mean, kept * law.var + 1 - kept


def kl(mean_0, var_0, mean_1, var_1):
    """Of Gaussians with independent coordinates."""
    ratio = var_0 / var_1
    return 0.5 * np.sum(ratio - 1 - np.log(ratio) + (mean_1 - mean_0) ** 2 / var_1, axis=-1)


def bound(kl_bound, law, error, prior):
    """The formula, for a score that is off by slope x + offset; error: t -> (slope, offset)."""
    t = law.T * (0.5 + NODES)
    mean, var = moments(law, t[:, None])
    slope, offset = error(t[:, None])
    square = np.sum((slope * mean + offset) ** 2 + slope**2 * var, axis=1)
    return kl_bound(
        np.full(len(t), law.beta), square, law.T * WEIGHTS, float(kl(*moments(law, law.T), *prior))
    )


def samples_of(law, error, prior):
    """Mean and variance of the reverse SDE's samples, from those of the prior, by their equations in time."""
    d, (slope, offset) = len(law.mean), error

    def rate(back, state):
        mean, var = moments(law, law.T - back)
        a = law.beta * (0.5 - 1 / var + slope)
        b = law.beta * (mean / var + offset)
        return np.concatenate([a * state[:d] + b, 2 * a * state[d:] + law.beta])

    solved = solve_ivp(rate, (0, law.T), np.concatenate(prior), method="DOP853", rtol=1e-11, atol=1e-13)
    return solved.y[:d, -1], solved.y[d:, -1]


def standard(d):
    return np.zeros(d), np.ones(d)


def errors(d):
    """Slopes and offsets by which a score is off; none at all, too."""
    nothing = st.just((np.zeros(d), np.zeros(d)))
    return together(law=data(d), error=st.one_of(nothing, st.tuples(points(d, -1, 1), points(d, -1, 1))))


@equation(
    "SYS-44",
    title="the loss weighted by g^2 bounds the divergence of the samples",
    formula=likelihood.kl_bound,
    latex=r"D_{KL}(p_0\Vert p_0^{\mathrm{SDE}})\le\tfrac12\int_0^Tg^2\,\mathbb E\lVert s_\theta-s\rVert^2dt"
    r"+D_{KL}(p_T\Vert\pi)",
    sources=[LECTURE, SONG_2021_LIKELIHOOD("theorem 1")],
    evidence="quadrature",
    how="Gaussian data and an affine error of the score: the samples are Gaussian, with moments by an ODE; "
    "both sides with a minus",
    relation="<=",
    given=rungs(errors, 1, 2, 3),
    tolerance=1e-7,
    examples=30,
)
def weighted_loss_bounds_the_divergence(kl_bound, law, error):
    prior = standard(len(law.mean))
    claimed = bound(kl_bound, law, lambda t: error, prior)
    derived = kl(law.mean, law.var, *samples_of(law, error, prior))
    return -claimed, -derived, 1 + derived


@mutant("prior", of="SYS-44", why="without the prior's part: an exact score makes up for no wrong start")
def bound_without_the_prior(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(g2, square_error, weights, 0 * prior_kl)


@mutant("quarter", of="SYS-44", why="half taken twice, once of g^2 and once of the integral")
def bound_with_a_quarter(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(g2 / 2, square_error, weights, prior_kl)


# ---- where the two are equal
@equation(
    "SYS-44/equal",
    title="it is the divergence where the score is that of some law",
    formula=likelihood.kl_bound,
    latex=r"s_\theta=\nabla\log p'_t,\ \pi=p'_T:\quad D_{KL}(p_0\Vert p'_0)="
    r"\tfrac12\int_0^Tg^2\,\mathbb E_{p_t}\lVert s_\theta-s\rVert^2dt+D_{KL}(p_T\Vert p'_T)",
    sources=[SONG_2021_LIKELIHOOD("theorem 2")],
    evidence="quadrature",
    how="the divergence of two Gaussians, in closed form; the scores are those of both under the same noise",
    given=rungs(lambda d: together(law=data(d), other=data(d)), 1, 2, 3),
    tolerance=1e-9,
)
def bound_of_another_law(kl_bound, law, other):
    other = other._replace(beta=law.beta, T=law.T)

    def error(t):
        (mean, var), (mean_1, var_1) = moments(law, t), moments(other, t)
        return 1 / var - 1 / var_1, mean_1 / var_1 - mean / var

    derived = kl(law.mean, law.var, other.mean, other.var)
    return bound(kl_bound, law, error, moments(other, law.T)), derived, 1e-3 + derived


@mutant("half", of="SYS-44/equal", why="g^2 without its half: twice the divergence of the paths")
def bound_without_the_half(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(2 * g2, square_error, weights, prior_kl)


@mutant("unweighted", of="SYS-44/equal", why="g for g^2, the noise's std where its variance weighs")
def bound_weighted_by_g(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(np.sqrt(g2), square_error, weights, prior_kl)


@mutant("prior", of="SYS-44/equal", why="without the prior's part")
def equality_without_the_prior(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(g2, square_error, weights, 0 * prior_kl)


# ---- what it is in all cases: the divergence of the paths
def transitions(law, error, count, substeps=4):
    """Of `count` equal steps back in time, exactly: x_s = a x_t + b + noise of variance v, each (count, d),
    by Kutta's method within each step."""
    (slope, offset), h = error, law.T / count / substeps
    back = (law.T / count) * np.arange(count)[:, None]
    zero = np.zeros((count, len(law.mean)))
    state = np.stack([zero + 1, zero, zero])

    def rate(state, back):
        mean, var = moments(law, law.T - back)
        grow = law.beta * (0.5 - 1 / var + slope)
        a, b, v = state
        return np.stack([grow * a, grow * b + law.beta * (mean / var + offset), 2 * grow * v + law.beta])

    for k in range(substeps):
        at = back + k * h
        one = rate(state, at)
        two = rate(state + h / 2 * one, at + h / 2)
        three = rate(state + h / 2 * two, at + h / 2)
        state = state + h / 6 * (one + 2 * two + 2 * three + rate(state + h * three, at + h))
    return state


def divergence_at(law, error, prior, count):
    """KL of the two laws of x at count + 1 times: chains, whose parts add."""
    (a, b, v), (a_1, b_1, v_1) = transitions(law, (0.0, 0.0), count), transitions(law, error, count)
    mean, var = moments(law, law.T - (law.T / count) * np.arange(count)[:, None])
    shift = ((a - a_1) * mean + b - b_1) ** 2 + (a - a_1) ** 2 * var
    return kl(*moments(law, law.T), *prior) + 0.5 * np.sum(v / v_1 - 1 - np.log(v / v_1) + shift / v_1)


@equation(
    "SYS-44/path",
    title="it is the divergence of the paths",
    formula=likelihood.kl_bound,
    latex=r"D_{KL}(\mathbb P\Vert\mathbb P^{\mathrm{SDE}})="
    r"\tfrac12\int_0^Tg^2\,\mathbb E\lVert s_\theta-s\rVert^2dt+D_{KL}(p_T\Vert\pi)",
    sources=[SONG_2021_LIKELIHOOD("app. A, by Girsanov's theorem")],
    evidence="algebra",
    how="the divergence of the two chains at 32 to 512 times, whose transitions are Gaussian, extrapolated "
    "to all times",
    given=rungs(errors, 1, 2),
    tolerance=1e-6,
    examples=20,
)
def weighted_loss_is_the_divergence_of_paths(kl_bound, law, error):
    prior = standard(len(law.mean))
    found = [divergence_at(law, error, prior, count) for count in (32, 64, 128, 256, 512)]
    for power in (1, 2, 3, 4):
        found = [(2**power * fine - coarse) / (2**power - 1) for coarse, fine in pairwise(found)]
    claimed = bound(kl_bound, law, lambda t: error, prior)
    return claimed, found[0], 1e-2 + abs(found[0])


@mutant("half", of="SYS-44/path", why="g^2 without its half")
def path_divergence_without_the_half(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(2 * g2, square_error, weights, prior_kl)


@mutant("prior", of="SYS-44/path", why="without the prior's part: where the paths start is a part of them")
def path_divergence_without_the_prior(g2, square_error, weights, prior_kl):
    return likelihood.kl_bound(g2, square_error, weights, 0 * prior_kl)
