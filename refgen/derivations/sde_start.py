"""Cards of where sampling begins: noise turns any data into N(0, I), and into no other law (TAX-6)."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from refgen import schedules
from refgen.cards import equation, misprint, mutant
from refgen.derivations.line import Law, noisy
from refgen.formulas import gaussian
from refgen.sources import CS167, HO_2020, SJTU

PROCESS = CS167("'Diffusion Process'")
LAWS = {
    "two modes": Law(np.array([0.3, 0.7]), np.array([-1.5, 0.65]), np.array([0.2, 0.3])),
    "one mode": Law(np.ones(1), np.zeros(1), np.ones(1)),
    "three modes": Law(np.array([0.2, 0.3, 0.5]), np.array([-1.5, 0.0, 0.6]), np.array([0.1, 0.5, 0.9])),
}
CASES = [dict(law=law, T=T) for law in LAWS for T in (1000, 100)]
TABLE = np.linspace(-9, 9, 9001)
WIDTH = TABLE[1] - TABLE[0]


def cdf(x, law):
    """The share of a mixture below x (n,)."""
    return ndtr((x[:, None] - law.means) / law.stds) @ law.weights


def terminal(law, T):
    """The law of x_T under the usual linear betas."""
    return noisy(law, *schedules.linear(T).level(T))


def shares_of(log_prob_isotropic):
    """The share of the start below each point of the table, by the trapezoidal rule."""
    density = np.exp(log_prob_isotropic(TABLE[:, None], np.zeros(1), 1.0))
    return np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))]) * WIDTH


@equation(
    "TAX-6",
    title="noise turns any data into N(0, 1)",
    formula=gaussian.log_prob_isotropic,
    latex=r"\mathrm{TV}\big(q(x_T),\ N(0,1)\big)\le10^{-3}\quad\text{for standardised data}",
    sources=[PROCESS, SJTU("'Diffusion Models', forward process"), HO_2020("section 4")],
    evidence="oracle",
    how="the exact law of x_T for mixtures on a line and the usual betas, beside the start, cell by "
    "cell of a table",
    cases=CASES,
    relation="<=",
    relative=False,
    tolerance=0.0,
    reject_at=0.1,
)
def start_is_where_noise_ends(log_prob_isotropic, law, T):
    start, end = shares_of(log_prob_isotropic), cdf(TABLE, terminal(LAWS[law], T))
    return 0.5 * np.sum(abs(np.diff(start) - np.diff(end))), 1e-3


@mutant("wide", of="TAX-6", why="a start with twice the std")
def start_too_wide(x, mean, var):
    return gaussian.log_prob_isotropic(x, mean, 4 * var)


@equation(
    "TAX-6/flow",
    title="the backward flow from N(0, 1) ends at the data",
    formula=gaussian.log_prob_isotropic,
    latex=r"W_1\big(F_0^{-1}(F_T(x_T)),\ x_0\big)\le10^{-3},\qquad x_T\sim N(0,1)",
    sources=[PROCESS, HO_2020("section 4")],
    evidence="oracle",
    how="the exact map of the probability flow on a line carries the start's shares to the data; the area "
    "between the two distribution functions",
    cases=CASES,
    relation="<=",
    relative=False,
    tolerance=0.0,
    reject_at=0.05,
)
def start_is_carried_to_the_data(log_prob_isotropic, law, T):
    below = cdf(TABLE, LAWS[law])
    there = np.interp(below, cdf(TABLE, terminal(LAWS[law], T)), TABLE)  # where the flow has x_0 at time T
    arrived = np.interp(there, TABLE, shares_of(log_prob_isotropic))
    return np.sum(abs(arrived - below)) * WIDTH, 1e-3


@misprint(
    "ERR-53",
    of="TAX-6/flow",
    printed=r"\text{starting from a uniform distribution and running backward dynamics}",
    correct=r"\text{starting from }N(0,I)",
    source=PROCESS,
    why="Gaussian steps end at a Gaussian: from a uniform law of the same variance, even the exact reverse "
    "ends elsewhere; a total variation of 0.2 is carried back as it is",
)
def uniform_start(x, mean, var):
    edge = math.sqrt(3 * var)
    inside = np.abs(x - mean)[..., 0] < edge
    return np.log(inside.astype(x.dtype) / (2 * edge))


@mutant("wide", of="TAX-6/flow", why="a start with twice the std")
def flow_from_too_wide(x, mean, var):
    return gaussian.log_prob_isotropic(x, mean, 4 * var)
