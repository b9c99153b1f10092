"""Cards of the orders of the flow's and the reverse SDE's steps (SDE-4, SDE-5)."""

from __future__ import annotations

import itertools
import math

import numpy as np

from refgen.cards import equation, mutant
from refgen.derivations import exact_flow, line
from refgen.formulas import runge_kutta, sde
from refgen.sources import SJTU, SONG_2021

CONTINUOUS = SJTU("'Continuous Diffusion Models'")


# ---- SDE-5: the flow is followed to the order of the method
def flow_error(step, count, latest=1.0, earliest=0.05):
    """Where steps back in time take quantiles of the noisier law, less those of the other."""
    times = np.linspace(latest, earliest, count + 1).tolist()
    start, end = (line.noisy(exact_flow.LAW, *exact_flow.vp_level(t)) for t in (latest, earliest))
    x = exact_flow.quantiles(start)
    for t, s in itertools.pairwise(times):
        x = step(exact_flow.vp_velocity, x, t, s - t)
    return x - exact_flow.quantiles(end)


def of_order(order, method, formula):
    """The card of one method, whose check is the same for all."""

    @equation(
        f"SDE-5/order-{order}",
        title=f"{method} steps follow the exact flow to order {order}",
        formula=formula,
        latex=rf"\lvert x_N-F_0^{{-1}}(F_1(x_T))\rvert=O(N^{{-{order}}})",
        sources=[CONTINUOUS, SONG_2021("section 4.3")],
        evidence="order",
        how="against the exact map between quantiles of two modes on a line; noise that preserves variance",
        cases=[dict(counts=(20, 40, 80))],
        relative=False,
        tolerance=0.2 if order == 1 else 0.3,
        reject_at=0.5,
    )
    def check(step, counts):
        return exact_flow.order(counts, lambda n: flow_error(step, n)), float(order)

    return check


of_order(1, "Euler's", runge_kutta.euler)
of_order(2, "Heun's", runge_kutta.heun)
of_order(4, "Kutta's", runge_kutta.fourth_order)


@mutant("forward", of="SDE-5/order-1", why="the step forwards where time runs back")
def euler_forwards(slopes, now, t, dt):
    return now - dt * slopes(now, t)


@mutant("half", of="SDE-5/order-1", why="half of the velocity, as if it were that of the reverse SDE")
def euler_by_half(slopes, now, t, dt):
    return now + 0.5 * dt * slopes(now, t)


@mutant("time", of="SDE-5/order-2", why="the second slope at the time of the first: order 1")
def heun_at_one_time(slopes, now, t, dt):
    first = slopes(now, t)
    return now + dt / 2 * (first + slopes(now + dt * first, t))


@mutant("point", of="SDE-5/order-2", why="the second slope at the point of the first: order 1")
def heun_at_one_point(slopes, now, t, dt):
    return now + dt / 2 * (slopes(now, t) + slopes(now, t + dt))


@mutant("middle", of="SDE-5/order-4", why="the inner slopes at the end of the step, not in its middle")
def kutta_without_middle(slopes, now, t, dt):
    k_1 = slopes(now, t)
    k_2 = slopes(now + dt / 2 * k_1, t + dt)
    k_3 = slopes(now + dt / 2 * k_2, t + dt)
    return now + dt / 6 * (k_1 + 2 * (k_2 + k_3) + slopes(now + dt * k_3, t + dt))


@mutant("weights", of="SDE-5/order-4", why="the mean of the four slopes, all weighted alike")
def kutta_of_equal_weights(slopes, now, t, dt):
    k_1 = slopes(now, t)
    k_2 = slopes(now + dt / 2 * k_1, t + dt / 2)
    k_3 = slopes(now + dt / 2 * k_2, t + dt / 2)
    return now + dt / 4 * (k_1 + k_2 + k_3 + slopes(now + dt * k_3, t + dt))


# ---- Moments of steps on data from N(mean, var), which are affine in x and z
def moments_after(move, mean, var):
    """Mean and variance after move(x, z): read off at x = 0 and 1 and at z = 0 and 1."""
    x, z = np.array([[0.0], [1.0], [0.0]]), np.array([[0.0], [0.0], [1.0]])
    at_zero, at_one, with_noise = move(x, z)[:, 0]
    slope, spread = at_one - at_zero, with_noise - at_zero
    return at_zero + slope * mean, slope**2 * var + spread**2


class Gaussian:
    """The law of x_t of the variance-preserving process for data from N(mean, var)."""

    def __init__(self, t, mean, var):
        signal, std = exact_flow.vp_level(t)
        self.mean, self.var, self.std = signal * mean, signal**2 * var + std**2, std

    def score(self, x):
        return (self.mean - x) / self.var


def reverse_moments(step, count, mean, var, corrected=None, latest=1.0, earliest=0.02):
    """Mean and variance at the earliest time less the true ones, from the true ones at the latest."""
    times = np.linspace(latest, earliest, count + 1).tolist()
    laws = [Gaussian(t, mean, var) for t in times]
    now = laws[0].mean, laws[0].var
    for t, s, law, below in zip(times[:-1], times[1:], laws[:-1], laws[1:], strict=True):
        beta = exact_flow.vp_rate(t)
        now = moments_after(lambda x, z, b=beta, law=law, h=t - s: step(x, law.score(x), z, b, h), *now)
        if corrected is not None:
            now = moments_after(lambda x, z, law=below: corrected(x, law.score(x), z, law), *now)
    return now[0] - laws[-1].mean, now[1] - laws[-1].var


def euler_maruyama(x, score, z, beta, dt):
    """A step of the reverse SDE for derivations."""
    return x + dt * beta * (x / 2 + score) + math.sqrt(beta * dt) * z


# ---- SDE-4: weak order
@equation(
    "SDE-4/weak-order",
    title="the moments of Euler-Maruyama steps of the reverse SDE are right to first order",
    formula=sde.euler_maruyama_step,
    latex=r"\lvert\mathbb E\,x_N-\mathbb E\,x_0\rvert+\lvert\mathrm{Var}\,x_N-\mathrm{Var}\,x_0\rvert=O(1/N)",
    sources=[CONTINUOUS, SONG_2021("section 4.2")],
    evidence="order",
    how="mean and variance carried from step to step for Gaussian data, exactly",
    cases=[dict(mean=1.5, var=0.25), dict(mean=1.5, var=4.0)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def moments_to_first_order(euler_maruyama_step, mean, var):
    def step(x, score, z, beta, dt):
        return euler_maruyama_step(x, -beta * (x / 2 + score), beta, -dt, z)

    counts = (50, 100, 200, 400)
    errors = np.abs([reverse_moments(step, n, mean, var) for n in counts])
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0], np.ones(2)


@mutant("forward", of="SDE-4/weak-order", why="the drift of the reverse SDE with the sign of time forgotten")
def step_with_time_forwards(x, drift, g2, dt, z):
    return x + abs(dt) * drift + np.sqrt(g2 * abs(dt)) * z


@mutant("noiseless", of="SDE-4/weak-order", why="the reverse drift without its noise: half of it is too much")
def step_without_noise(x, drift, g2, dt, z):
    return x + dt * drift + 0 * z


@mutant("variance", of="SDE-4/weak-order", why="the variance of the step where its root belongs")
def step_with_variance(x, drift, g2, dt, z):
    return x + dt * drift + g2 * abs(dt) * z
