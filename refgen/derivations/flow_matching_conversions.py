"""Cards of the straight velocity as noise, clean data, score and v, and back (FM-4)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.formulas import flow_matching
from refgen.sources import ALBERGO_2023, LIPMAN_2023, SALIMANS_2022

SOURCES = [LIPMAN_2023("section 4"), ALBERGO_2023("section 2")]


def of(d):
    """A point of the straight path, or of any process; both are (signal, std)."""
    straight = st.sampled_from([0.5, 0.25, 0.75, 0.05]).map(lambda t: (1 - t, t))
    level = st.one_of(straight, st.tuples(positives(0.05, 20.0), positives(0.05, 20.0)))
    return together(x_0=points(d), eps=points(d), level=level)


GIVEN = rungs(of, 1, 2, 5)


def noisy(x_0, eps, level):
    """x_t, and how large what is added up in any of the conversions can be."""
    signal, std = level
    size = 1 + np.abs(x_0) + np.abs(eps)
    return signal * x_0 + std * eps, size * (1 + signal + std) * (1 + 1 / signal + 1 / std)


def card(name, formula, title, latex, sources=SOURCES, how="the noise and the data that x_t was made of"):
    return equation(
        f"FM-4/{name}",
        title=title,
        formula=formula,
        latex=latex,
        sources=sources,
        evidence="algebra",
        how=how,
        given=GIVEN,
        examples=40,
        tolerance=1e-12,
    )


@card(
    "eps",
    flow_matching.eps_from_velocity,
    "noise from the velocity",
    r"\epsilon=\frac{x_t+\mathrm{signal}\,u}{\mathrm{signal}+\mathrm{std}}=x_t+(1-t)\,u",
)
def eps_is_found(eps_from_velocity, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    return eps_from_velocity(x_t, eps - x_0, *level), eps, scale


@mutant("swapped", of="FM-4/eps", why="t and 1 - t swapped")
def eps_with_times_swapped(x_t, u, signal, std):
    return (x_t + std * u) / (signal + std)


@mutant("sign", of="FM-4/eps", why="the velocity's sign, as where t = 0 is noise")
def eps_with_the_sign(x_t, u, signal, std):
    return (x_t - signal * u) / (signal + std)


@mutant("scale", of="FM-4/eps", why="only right where signal + std = 1")
def eps_on_the_path_only(x_t, u, signal, std):
    return x_t + signal * u


@card(
    "x_0",
    flow_matching.x_0_from_velocity,
    "clean data from the velocity",
    r"x_0=\frac{x_t-\mathrm{std}\,u}{\mathrm{signal}+\mathrm{std}}=x_t-t\,u",
)
def x_0_is_found(x_0_from_velocity, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    return x_0_from_velocity(x_t, eps - x_0, *level), x_0, scale


@mutant("swapped", of="FM-4/x_0", why="t and 1 - t swapped")
def x_0_with_times_swapped(x_t, u, signal, std):
    return (x_t - signal * u) / (signal + std)


@mutant("sign", of="FM-4/x_0", why="the velocity's sign: the other end of the line is not the data")
def x_0_with_the_sign(x_t, u, signal, std):
    return (x_t + std * u) / (signal + std)


@card(
    "score",
    flow_matching.score_from_velocity,
    "score from the velocity",
    r"\nabla\log q_t=-\frac{x_t+\mathrm{signal}\,u}{\mathrm{std}(\mathrm{signal}+\mathrm{std})}"
    r"=-\frac{x_t+(1-t)\,u}{t}",
    how="the slope of the log-density of the noise that was added, minus eps over std",
)
def score_is_found(score_from_velocity, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    return score_from_velocity(x_t, eps - x_0, *level), -eps / level[1], scale


@mutant("eps", of="FM-4/score", why="not divided by the noise's std")
def score_as_noise(x_t, u, signal, std):
    return -flow_matching.eps_from_velocity(x_t, u, signal, std)


@mutant("swapped", of="FM-4/score", why="t and 1 - t swapped")
def score_with_times_swapped(x_t, u, signal, std):
    return flow_matching.score_from_velocity(x_t, u, std, signal)


@mutant("velocity", of="FM-4/score", why="minus the velocity over std, which leaves out the point")
def score_without_the_point(x_t, u, signal, std):
    return -u / std


@card(
    "v",
    flow_matching.v_from_velocity,
    "the velocity of variance-preserving processes from the straight one",
    r"v=\frac{(\mathrm{signal}-\mathrm{std})\,x_t+(\mathrm{signal}^2+\mathrm{std}^2)\,u}"
    r"{\mathrm{signal}+\mathrm{std}}",
    [SALIMANS_2022("appendix D")],
    "its definition, signal eps - std x_0",
)
def v_is_found(v_from_velocity, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    signal, std = level
    return v_from_velocity(x_t, eps - x_0, *level), signal * eps - std * x_0, scale


@mutant("same", of="FM-4/v", why="taken for the same: they differ by the path")
def v_as_it_is(x_t, u, signal, std):
    return u + 0 * x_t


@mutant("sign", of="FM-4/v", why="the point's share with the wrong sign")
def v_with_the_points_sign(x_t, u, signal, std):
    return ((std - signal) * x_t + (signal**2 + std**2) * u) / (signal + std)


@card(
    "from-eps",
    flow_matching.velocity_from_eps,
    "the velocity from noise",
    r"u=\frac{(\mathrm{signal}+\mathrm{std})\,\epsilon-x_t}{\mathrm{signal}}=\frac{\epsilon-x_t}{1-t}",
)
def velocity_of_the_noise(velocity_from_eps, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    return velocity_from_eps(x_t, eps, *level), eps - x_0, scale


@mutant("swapped", of="FM-4/from-eps", why="t and 1 - t swapped")
def velocity_of_noise_with_times_swapped(x_t, eps, signal, std):
    return flow_matching.velocity_from_eps(x_t, eps, std, signal)


@mutant("sign", of="FM-4/from-eps", why="towards the data")
def velocity_of_noise_with_the_sign(x_t, eps, signal, std):
    return -flow_matching.velocity_from_eps(x_t, eps, signal, std)


@card(
    "from-x_0",
    flow_matching.velocity_from_x_0,
    "the velocity from clean data",
    r"u=\frac{x_t-(\mathrm{signal}+\mathrm{std})\,x_0}{\mathrm{std}}=\frac{x_t-x_0}{t}",
)
def velocity_of_the_data(velocity_from_x_0, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    return velocity_from_x_0(x_t, x_0, *level), eps - x_0, scale


@mutant("swapped", of="FM-4/from-x_0", why="t and 1 - t swapped")
def velocity_of_data_with_times_swapped(x_t, x_0, signal, std):
    return flow_matching.velocity_from_x_0(x_t, x_0, std, signal)


@mutant("sign", of="FM-4/from-x_0", why="towards the data")
def velocity_of_data_with_the_sign(x_t, x_0, signal, std):
    return -flow_matching.velocity_from_x_0(x_t, x_0, signal, std)


@card(
    "from-v",
    flow_matching.velocity_from_v,
    "the velocity from that of variance-preserving processes",
    r"u=\frac{(\mathrm{signal}+\mathrm{std})\,v+(\mathrm{std}-\mathrm{signal})\,x_t}"
    r"{\mathrm{signal}^2+\mathrm{std}^2}",
    [SALIMANS_2022("appendix D")],
)
def velocity_of_v(velocity_from_v, x_0, eps, level):
    x_t, scale = noisy(x_0, eps, level)
    signal, std = level
    return velocity_from_v(x_t, signal * eps - std * x_0, *level), eps - x_0, scale


@mutant("same", of="FM-4/from-v", why="taken for the same")
def velocity_as_v(x_t, v, signal, std):
    return v + 0 * x_t


@mutant("sign", of="FM-4/from-v", why="the point's share with the wrong sign")
def velocity_with_the_points_sign(x_t, v, signal, std):
    return ((signal + std) * v + (signal - std) * x_t) / (signal**2 + std**2)
