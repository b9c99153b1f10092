"""Cards of the orders of the likelihood's integrators, and of what they tell of their error (SDE-9)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives
from refgen.derivations.exact_flow import order
from refgen.derivations.fields import Blobs
from refgen.derivations.likelihood import FLOW, by_the_flow, truth
from refgen.formulas import likelihood, runge_kutta
from refgen.sources import CHEN_2018

LAW = Blobs(np.array([0.3, 0.7]), np.array([[-1.2, 0.3], [0.8, -0.5]]), np.array([0.4, 0.6]))
X = np.array([[-1.0, 0.0], [0.0, 0.2], [1.2, -0.4], [0.5, 1.0]])


def errors(log_prob, name, method):
    return lambda steps: by_the_flow(log_prob, X, LAW, name, steps, method) - truth(X, LAW, name)


@equation(
    "SDE-9/heun",
    title="by Heun's method the likelihood's error falls with the square of the step",
    formula=likelihood.log_prob,
    latex=r"\lvert\log p^h(x)-\log p(x)\rvert=O(h^2)",
    sources=FLOW,
    evidence="order",
    how="the slope of the largest error at four points of a mixture, at 30 and 60 steps",
    cases=[dict(name="ve"), dict(name="straight")],
    tolerance=0.2,
    relative=False,
    reject_at=0.5,
)
def heun_has_order_two(log_prob, name):
    return order((30, 60), errors(log_prob, name, "heun")), 2.0


@mutant("left", of="SDE-9/heun", why="the divergence of each step's start for all of the step: order one")
def log_prob_by_the_left_rule(x, score, prior, moment, start, end, steps, method="heun"):
    h, gained = (end - start) / steps, 0.0

    def velocity(x, t):
        at = moment(t)
        return at.f * x - 0.5 * at.g2 * score(x, at.level)[0]

    for k in range(steps):
        at = moment(start + k * h)
        gained = gained + h * (at.f * x.shape[-1] - 0.5 * at.g2 * score(x, at.level)[1])
        x = runge_kutta.heun(velocity, x, start + k * h, h)
    return prior(x) + gained


@equation(
    "SDE-9/fourth-order",
    title="by Kutta's method it falls with its fourth power",
    formula=likelihood.log_prob,
    latex=r"\lvert\log p^h(x)-\log p(x)\rvert=O(h^4)",
    sources=FLOW,
    evidence="order",
    how="the slope of the largest error at four points of a mixture, at 30 and 60 steps",
    cases=[dict(name="ve")],
    tolerance=0.4,
    relative=False,
    reject_at=0.5,
)
def kutta_has_order_four(log_prob, name):
    return order((30, 60), errors(log_prob, name, "rk4")), 4.0


@mutant("weights", of="SDE-9/fourth-order", why="Heun's method: two slopes for four")
def log_prob_by_heun(x, score, prior, moment, start, end, steps, method="rk4"):
    return likelihood.log_prob(x, score, prior, moment, start, end, steps, "heun")


@equation(
    "SDE-9/error",
    title="the error of the finer of two results, from their difference",
    formula=runge_kutta.step_error,
    latex=r"\lvert a_{h/r}-a\rvert=\frac{\lvert a_h-a_{h/r}\rvert}{r^p-1},\quad a_h=a+c\,h^p",
    sources=[CHEN_2018("theorem 1")],
    evidence="algebra",
    how="results that are made off by a power of the step",
    given=dict(
        true=points(2), c=points(2, 0.5, 2), h=positives(0.2, 1.0), ratio=st.sampled_from([2, 3, 1.5]),
        p=st.sampled_from([2, 4, 1]),
    ),
    tolerance=1e-9,
    tolerance32=1e-3,
)  # fmt: skip
def error_of_a_power(step_error, true, c, h, ratio, p):
    off = c * (h / ratio) ** p
    return step_error(true + c * h**p, true + off, ratio, p), off, abs(true) + c


@mutant("coarse", of="SDE-9/error", why="r^p / (r^p - 1) of the difference: the error of the coarser")
def error_of_the_coarser(coarse, fine, ratio, order):
    return ratio**order * runge_kutta.step_error(coarse, fine, ratio, order)


@mutant("order", of="SDE-9/error", why="a method of one order less")
def error_of_another_order(coarse, fine, ratio, order):
    return runge_kutta.step_error(coarse, fine, ratio, order + 1)
