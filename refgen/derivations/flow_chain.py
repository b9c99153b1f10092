"""Cards of one map and of chains of them: where densities go (FLOW-10 to FLOW-12)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, rungs, together
from refgen.derivations.fields import gradient
from refgen.derivations.flow_maps import (
    bents,
    normal,
    size,
    triangles,
    triangulars,
)
from refgen.formulas import flow
from refgen.sources import PAPAMAKARIOS_2021, REZENDE_2015, SJTU

FLOWS = [SJTU("'Normalizing Flows'"), REZENDE_2015("section 3")]


def log_det(jacobian):
    return np.log(abs(np.linalg.det(jacobian)))


# ---- FLOW-10: one map, three forms
@equation(
    "FLOW-10",
    title="density behind a map, from where it came",
    formula=flow.pushed,
    latex=r"p_i(z_i)=p_{i-1}(z_{i-1})\Big\lvert\det\frac{df_i}{dz_{i-1}}\Big\rvert^{-1}",
    sources=FLOWS,
    evidence="autodiff",
    how="the determinant of the inverse map at the other end, by complex steps; the inverse by bisection",
    given=rungs(lambda d: together(bent=bents(d), z=points(d, -2, 2)), 1, 2, 3),
    tolerance=1e-10,
    examples=40,
)
def forward_form_is_the_inverse_form(pushed, bent, z):
    x = bent.forward()(z)
    jac = gradient(bent.invert, x)
    derived = np.append(x, normal(bent.invert(x)) + log_det(jac))
    return np.append(*pushed(z, [bent.forward()], normal)), derived, size(z, jac) + np.sum(abs(x))


@mutant(
    "times", of="FLOW-10", why="times the determinant: where a map spreads points out, they would be denser"
)
def pushed_times_determinant(z, maps, base):
    x, found = flow.pushed(z, maps, base)
    return x, 2 * base(z) - found


@mutant("there", of="FLOW-10", why="the density of z read off at x, with the right determinant")
def pushed_with_base_at_x(z, maps, base):
    x, found = flow.pushed(z, maps, base)
    return x, found - base(z) + base(x)


@equation(
    "FLOW-10/inverse",
    title="density behind a map, from the inverse map",
    formula=flow.log_prob,
    latex=r"p_i(z_i)=p_{i-1}(f_i^{-1}(z_i))\Big\lvert\det\frac{df_i^{-1}}{dz_i}\Big\rvert",
    sources=FLOWS,
    evidence="autodiff",
    how="the determinant of the forward map at the other end, by complex steps; the inverse is written out",
    given=rungs(lambda d: together(map=triangulars(d), z=points(d, -2, 2)), 1, 2, 3),
    tolerance=1e-11,
    examples=30,
)
def inverse_form_is_the_forward_form(log_prob, map, z):
    jac = gradient(map.forward(), z)
    return log_prob(map.forward()(z), map.inverse(), normal), normal(z) - log_det(jac), size(z, jac)


@mutant("sign", of="FLOW-10/inverse", why="the sign of the forward map with the Jacobian of the inverse")
def inverse_form_with_forward_sign(x, inverse, base):
    return 2 * base(inverse(x)) - flow.log_prob(x, inverse, base)


# ---- FLOW-11, FLOW-12: in logarithms, and many maps
@equation(
    "FLOW-11",
    title="one map in logarithms: minus the log-determinant",
    formula=flow.chain_log_prob,
    latex=r"\log p_i(z_i)=\log p_{i-1}(z_{i-1})-\log\Big\lvert\det\frac{df_i}{dz_{i-1}}\Big\rvert",
    sources=FLOWS,
    evidence="autodiff",
    how="the logarithm of the density times the determinant of the inverse map, above 1 and below",
    given=rungs(lambda d: together(bent=bents(d), z=points(d, -2, 2)), 1, 2, 3),
    tolerance=1e-10,
    examples=40,
)
def logarithm_of_one_map(chain_log_prob, bent, z):
    jac, x = gradient(bent.forward(), z), bent.forward()(z)
    derived = np.log(np.exp(normal(z)) * abs(np.linalg.det(gradient(bent.invert, x))))
    claimed = chain_log_prob(np.array([normal(z)]), np.array([[log_det(jac)]]))
    return claimed, np.array([derived]), size(z, jac)


@mutant("plus", of="FLOW-11", why="plus: the log-determinant of the inverse map would be added")
def log_prob_plus_log_det(log_base, log_dets):
    return log_base + sum(log_dets)


@mutant("size", of="FLOW-11", why="minus its absolute value: right as long as the map spreads points out")
def log_prob_minus_absolute_log_det(log_base, log_dets):
    return log_base - sum(abs(one) for one in log_dets)


@equation(
    "FLOW-12",
    title="a chain of maps is one map",
    formula=flow.pushed,
    latex=r"x=f_K\circ\dots\circ f_1(z_0),\quad"
    r"\log p(x)=\log p_0(z_0)-\sum_{i=1}^K\log\Big\lvert\det\frac{df_i}{dz_{i-1}}\Big\rvert",
    sources=[*FLOWS, PAPAMAKARIOS_2021("section 2.1")],
    evidence="autodiff",
    how="the composed map and its one Jacobian, by complex steps",
    given=rungs(
        lambda d, k: together(maps=st.lists(bents(d), min_size=k, max_size=k), z=points(d, -2, 2)),
        (1, 1), (1, 2), (2, 2), (2, 4),
    ),
    tolerance=1e-9,
    examples=40,
)  # fmt: skip
def chain_is_its_composition(pushed, maps, z):
    steps = [one.forward() for one in maps]

    def composed(a):
        for f in steps:
            a = f(a)
        return a

    jac = gradient(composed, z)
    claimed = np.append(*pushed(z, steps, normal))
    derived = np.append(composed(z), normal(z) - log_det(jac))
    return claimed, derived, size(z, jac) * np.linalg.cond(jac) + np.sum(abs(derived))


@mutant("start", of="FLOW-12", why="all Jacobians taken at z_0, not each where its map begins")
def chain_with_jacobians_at_the_start(z, maps, base):
    log_dets = [np.linalg.slogdet(flow.jacobian(f, z))[1] for f in maps]
    return flow.pushed(z, maps, base)[0], base(z) - sum(log_dets)


@mutant("last", of="FLOW-12", why="the last map alone")
def chain_with_the_last_map(z, maps, base):
    *first, last = maps
    before = flow.pushed(z, first, base)[0]
    return last(before), flow.pushed(before, [last], base)[1] - base(before) + base(z)


@mutant("plus", of="FLOW-12", why="the log-determinants added")
def chain_with_plus(z, maps, base):
    x, found = flow.pushed(z, maps, base)
    return x, 2 * base(z) - found


@equation(
    "FLOW-12/gaussian",
    title="a chain of affine maps is a Gaussian",
    formula=flow.chain_log_prob,
    latex=r"\log p(x)=\log N(x;b,AA^\top),\quad A=A_K\cdots A_1",
    sources=FLOWS,
    evidence="algebra",
    how="the Gaussian's density along the axes of its covariance",
    given=rungs(
        lambda d, k: together(
            matrices=st.lists(triangles(d), min_size=k, max_size=k), b=points(d), z=points(d)
        ),
        (1, 1), (2, 2), (2, 6), (5, 3),
    ),
    tolerance=1e-10,
    examples=30,
)  # fmt: skip
def affine_chain_is_gaussian(chain_log_prob, matrices, b, z):
    x, whole, mean = z, np.eye(len(z)), 0 * z
    for i, a in enumerate(matrices):
        a = a.T if i % 2 else a  # upper and lower in turn, so that the product is not triangular
        x, whole, mean = a @ x + b, a @ whole, a @ mean + b
    variances, axes = np.linalg.eigh(whole @ whole.T)
    derived = -0.5 * np.sum(((x - mean) @ axes) ** 2 / variances + np.log(2 * np.pi * variances))
    log_dets = np.array([[np.sum(np.log(np.abs(np.diagonal(a))))] for a in matrices])
    scale = size(z, whole) * np.linalg.cond(whole) ** 2
    return chain_log_prob(np.array([normal(z)]), log_dets), np.array([derived]), scale


@mutant("first", of="FLOW-12/gaussian", why="the first map alone")
def affine_chain_of_one(log_base, log_dets):
    return log_base - log_dets[0]


@mutant("mean", of="FLOW-12/gaussian", why="the mean of the log-determinants, not their sum")
def affine_chain_with_mean(log_base, log_dets):
    return log_base - sum(log_dets) / len(log_dets)
