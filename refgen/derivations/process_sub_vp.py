"""Cards of the sub-VP process: less noise than a variance-preserving one at every time (SDE-10)."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import leggauss

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, together
from refgen.formulas import process
from refgen.sources import SONG_2021

PAPER = SONG_2021("section 3.4 and eq. 29")
NODES, WEIGHTS = leggauss(60)


def moment(integral, noise):
    r"""Solution of V' = -V + noise(B), V(0) = 0, in the time B: the variance where g^2 is beta noise(B)."""
    b = 0.5 * integral * (NODES + 1)
    return 0.5 * integral * WEIGHTS @ (np.exp(b - integral) * noise(b))


@equation(
    "SDE-10",
    title="variance of the sub-VP process",
    formula=process.sub_vp_std,
    latex=r"\frac{dV}{dt}=-\beta V+\beta(1-e^{-2B})\ \Rightarrow\ V=(1-e^{-B})^2,\quad "
    r"B=\textstyle\int_0^t\beta",
    sources=[PAPER],
    evidence="quadrature",
    how="the equation of the variance, solved by an integral over B, by Gauss and Legendre",
    given=together(integral=positives(1e-4, 30.0)),
    tolerance=1e-10,
)
def variance_of_sub_vp(sub_vp_std, integral):
    return sub_vp_std(integral) ** 2, moment(integral, lambda b: -np.expm1(-2 * b))


@mutant("vp", of="SDE-10", why="sqrt(1 - e^{-B}), the std of VP")
def std_of_vp(integral):
    return np.sqrt(-np.expm1(-integral))


@mutant("half", of="SDE-10", why="1 - e^{-B/2}, from the signal where its square belongs")
def std_of_half(integral):
    return -np.expm1(-0.5 * integral)


@equation(
    "SDE-10/diffusion",
    title="diffusion of the sub-VP process",
    formula=process.sub_vp_diffusion_var,
    latex=r"g^2=\beta\,\big(1-e^{-2B}\big)",
    sources=[PAPER],
    evidence="autodiff",
    how="the derivative of (1 - e^{-B})^2 by a complex step, plus what the drift takes away",
    given=together(beta=positives(0.1, 20.0), integral=positives(1e-4, 30.0)),
    tolerance=1e-11,
)
def diffusion_of_sub_vp(sub_vp_diffusion_var, beta, integral):
    var = np.expm1(-integral - 1e-30j) ** 2
    return sub_vp_diffusion_var(beta, integral), beta * (var.imag / 1e-30 + var.real)


@mutant("vp", of="SDE-10/diffusion", why="g^2 = beta, that of VP")
def diffusion_of_vp(beta, integral):
    return beta


@mutant("signal", of="SDE-10/diffusion", why="1 - e^{-B}, the variance of VP, in the place of 1 - e^{-2B}")
def diffusion_with_variance(beta, integral):
    return beta * -np.expm1(-integral)


@equation(
    "SDE-10/bound",
    title="sub-VP never has more variance than VP",
    formula=process.sub_vp_std,
    latex=r"(1-e^{-B})^2\le 1-e^{-B}",
    sources=[PAPER],
    evidence="quadrature",
    how="the variance of VP, by the same integral with g^2 = beta",
    given=together(integral=positives(1e-4, 30.0)),
    relation="<=",
    tolerance=1e-12,
)
def sub_vp_has_less(sub_vp_std, integral):
    return sub_vp_std(integral) ** 2, moment(integral, np.ones_like)


@mutant("square", of="SDE-10/bound", why="the variance taken for the std, and its root for the variance")
def std_with_root(integral):
    return (-np.expm1(-integral)) ** 0.25


@equation(
    "SDE-10/ends",
    title="it has as much only at the two ends",
    formula=process.sub_vp_std,
    latex=r"(1-e^{-B})^2=1-e^{-B}\iff B\in\{0,\infty\}",
    sources=[PAPER],
    evidence="algebra",
    how="the variance of VP is 0 with no noise and 1 after endless noise",
    cases=[dict(integral=0.0, var=0.0), dict(integral=200.0, var=1.0)],
    relative=False,
    tolerance=1e-12,
)
def equal_at_the_ends(sub_vp_std, integral, var):
    return sub_vp_std(integral) ** 2, var


@mutant("offset", of="SDE-10/ends", why="2 - e^{-B}: a variance that does not begin at 0")
def std_with_offset(integral):
    return 2 - np.exp(-integral)
