"""Cards of maps that are easily inverted and have a cheap determinant: coupling, planar (FLOW-13)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import brentq

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, reals, rungs, together
from refgen.derivations.directions import matrices
from refgen.derivations.fields import gradient
from refgen.formulas import flow
from refgen.sources import DINH_2017, FIELD, REZENDE_2015, SJTU

COUPLING = [SJTU("'Normalizing Flows'"), DINH_2017("sections 3.2 to 3.4")]
PLANAR = [REZENDE_2015("section 4.1"), SJTU("'Normalizing Flows'")]


# ---- coupling
def masks(d):
    """1 where a coordinate is changed: at least one is, and one is not where there are two."""
    some = st.lists(st.sampled_from([0.0, 1.0]), min_size=d, max_size=d).map(np.array)
    return some.filter(lambda m: np.any(m == 1) and (d == 1 or np.any(m == 0)))


def couplings(d):
    return together(
        z=points(d, -2, 2), changed=masks(d), for_shift=matrices(d, d, -1, 1), for_scale=matrices(d, d, -1, 1)
    )


def told(z, changed, for_shift, for_scale):
    """What a network would make of the kept coordinates: shift and log-scale."""
    kept = (1 - changed) * z
    return np.sin(for_shift @ kept + 0.5), np.tanh(for_scale @ kept - 0.3)


def coupled(z, changed, for_shift, for_scale):
    """The map, coordinate by coordinate, at z (d,), real or complex."""
    shift, log_scale = told(z, changed, for_shift, for_scale)
    return np.array(
        [np.exp(s) * a + t if m else a for a, s, t, m in zip(z, log_scale, shift, changed, strict=True)]
    )


@equation(
    "FLOW-13/coupling",
    title="affine coupling",
    formula=flow.coupling,
    latex=r"x=(1-m)\,z+m\,(z\,e^{s}+t)",
    sources=COUPLING,
    evidence="algebra",
    how="each coordinate by itself, kept or changed",
    given=rungs(couplings, 1, 2, 3),
    tolerance=1e-13,
    examples=30,
)
def coupling_keeps_some_and_changes_others(coupling, z, changed, for_shift, for_scale):
    net = told(z, changed, for_shift, for_scale)
    return coupling(z, *net, changed), coupled(z, changed, for_shift, for_scale), 8.0


@mutant("swapped", of="FLOW-13/coupling", why="the mask the other way: the network's own inputs are changed")
def coupling_of_the_kept(z, shift, log_scale, changed):
    return flow.coupling(z, shift, log_scale, 1 - changed)


@mutant(
    "before",
    of="FLOW-13/coupling",
    why="shifted before it is scaled: (z + t) e^s, which another inverse undoes",
)
def coupling_shifted_first(z, shift, log_scale, changed):
    return (z + changed * shift) * np.exp(changed * log_scale)


@equation(
    "FLOW-13/uncoupling",
    title="a coupling is undone without inverting the network",
    formula=flow.coupling_inverse,
    latex=r"z=(1-m)\,x+m\,(x-t)\,e^{-s}",
    sources=COUPLING,
    evidence="algebra",
    how="the point that the map was given; the network sees the kept coordinates of x",
    given=rungs(couplings, 1, 2, 3),
    tolerance=1e-12,
    examples=30,
)
def coupling_round_trip(coupling_inverse, z, changed, for_shift, for_scale):
    x = coupled(z, changed, for_shift, for_scale)
    return coupling_inverse(x, *told(x, changed, for_shift, for_scale), changed), z, 20.0


@mutant("order", of="FLOW-13/uncoupling", why="scaled back before it is shifted back: x e^{-s} - t")
def inverse_in_the_wrong_order(x, shift, log_scale, changed):
    return x * np.exp(-changed * log_scale) - changed * shift


@mutant("scale", of="FLOW-13/uncoupling", why="the scale once more, not its inverse")
def inverse_that_scales_again(x, shift, log_scale, changed):
    return (x - changed * shift) * np.exp(changed * log_scale)


@equation(
    "FLOW-13/coupling-det",
    title="log-determinant of a coupling",
    formula=flow.coupling_log_det,
    latex=r"\log\Big\lvert\det\frac{dx}{dz}\Big\rvert=\sum_im_is_i",
    sources=[*COUPLING, FIELD("the sign of a log-determinant")],
    evidence="autodiff",
    how="the whole Jacobian by complex steps, with the network's derivatives in it",
    given=rungs(couplings, 1, 2, 3, 4),
    tolerance=1e-12,
    examples=40,
)
def coupling_log_det_is_that_of_the_jacobian(coupling_log_det, z, changed, for_shift, for_scale):
    jac = gradient(lambda a: coupled(a, changed, for_shift, for_scale), z)
    log_scale = told(z, changed, for_shift, for_scale)[1]
    return coupling_log_det(log_scale, changed), np.linalg.slogdet(jac)[1], 1 + np.sum(abs(log_scale))


@mutant("sign", of="FLOW-13/coupling-det", why="that of the inverse map; a test at the identity sees nothing")
def coupling_log_det_of_the_inverse(log_scale, changed):
    return -np.sum(changed * log_scale, axis=-1)


@mutant("size", of="FLOW-13/coupling-det", why="|s|: right for all points where the scale is above 1")
def coupling_log_det_of_sizes(log_scale, changed):
    return np.sum(changed * abs(log_scale), axis=-1)


@mutant("all", of="FLOW-13/coupling-det", why="the kept coordinates counted too")
def coupling_log_det_of_all(log_scale, changed):
    return np.sum(log_scale + 0 * changed, axis=-1)


# ---- planar
def planes(d):
    """z, w, b, and a u with which the map is one-to-one: w.u > -1 with some room."""

    def tame(u, w):
        along = u @ w
        return u if along > -0.95 else -u

    wide = points(d, -2, 2)
    drawn = st.tuples(wide, wide).map(lambda p: (tame(*p), p[1]))
    return st.builds(lambda z, uw, b: dict(z=z, u=uw[0], w=uw[1], b=b), points(d, -2, 2), drawn, reals(-2, 2))


@equation(
    "FLOW-13/planar",
    title="planar flow, and its inverse",
    formula=flow.planar,
    latex=r"x=z+u\,\tanh(w^\top z+b)",
    sources=PLANAR,
    evidence="algebra",
    how="z is found from x: how far it lies along w as a root, the rest by subtraction",
    given=rungs(planes, 1, 2, 3),
    tolerance=1e-12,
    examples=40,
)
def planar_meets_its_inverse(planar, z, u, w, b):
    x, reach = z, float(w @ z)  # the point where the map shall end
    far = abs(u @ w) + 1
    along = brentq(lambda a: a + u @ w * np.tanh(a + b) - reach, reach - far, reach + far, xtol=1e-14)
    return (
        planar(x - u * np.tanh(along + b), u, w, b),
        x,
        1 + np.sum(abs(x)) + np.sum(abs(u)) * (1 + np.sum(abs(w))),
    )


@mutant("along", of="FLOW-13/planar", why="moved along w, the direction that is only looked along")
def planar_along_w(z, u, w, b):
    return z + w * np.tanh(np.sum(w * z) + b)


@mutant("each", of="FLOW-13/planar", why="w_i z_i for each coordinate, where one number w.z moves them all")
def planar_by_coordinate(z, u, w, b):
    return z + u * np.tanh(w * z + b)


@equation(
    "FLOW-13/planar-det",
    title="log-determinant of a planar flow",
    formula=flow.planar_log_det,
    latex=r"\log\lvert1+u^\top\psi(z)\rvert,\quad\psi(z)=(1-\tanh^2(w^\top z+b))\,w",
    sources=PLANAR,
    evidence="autodiff",
    how="the whole Jacobian by complex steps",
    given=rungs(planes, 1, 2, 3),
    tolerance=1e-11,
    examples=40,
)
def planar_log_det_is_that_of_the_jacobian(planar_log_det, z, u, w, b):
    jac = gradient(lambda a: a + u * np.tanh(w @ a + b), z)
    return planar_log_det(z, u, w, b), np.linalg.slogdet(jac)[1], 1 + np.linalg.cond(jac)


@mutant("bend", of="FLOW-13/planar-det", why="the tanh itself where its derivative belongs")
def planar_log_det_without_derivative(z, u, w, b):
    return np.log(abs(1 + u @ w * np.tanh(w @ z + b)) + 1e-300)


@mutant("sign", of="FLOW-13/planar-det", why="that of the inverse map")
def planar_log_det_of_the_inverse(z, u, w, b):
    return -flow.planar_log_det(z, u, w, b)


@mutant("without", of="FLOW-13/planar-det", why="log |u.psi|: the identity that the map adds to is forgotten")
def planar_log_det_without_identity(z, u, w, b):
    return np.log(abs(u @ w * (1 - np.tanh(w @ z + b) ** 2)) + 1e-300)


DIRECTIONS = rungs(
    lambda d: together(u=points(d), w=points(d, -3, 3).filter(lambda w: np.linalg.norm(w) > 0.05)), 1, 2, 3
)


@equation(
    "FLOW-13/planar-fold",
    title="the u with which a planar flow is one-to-one",
    formula=flow.planar_u,
    latex=r"w^\top\hat u\ge-1\ \Rightarrow\ 1+\hat u^\top w\,(1-\tanh^2)\ge0\text{ everywhere}",
    sources=[REZENDE_2015("appendix A.1"), FIELD("planar flows that fold")],
    evidence="algebra",
    relation="<=",
    how="a planar map keeps the order along w just where w.u is at least -1",
    given=DIRECTIONS,
    tolerance=1e-12,
    examples=40,
)
def planar_maps_do_not_fold(planar_u, u, w):
    return -(w @ planar_u(u, w)), 1.0, 1 + np.sum(abs(w)) * np.sum(abs(u)) + np.linalg.norm(w)


@mutant(
    "norm",
    of="FLOW-13/planar-fold",
    why="w / ||w|| where w / ||w||^2 belongs: for a long w it goes too far",
)
def planar_u_with_norm(u, w):
    along = w @ u
    return u + (np.logaddexp(0, -along) - 1) * w / np.linalg.norm(w)


@mutant("free", of="FLOW-13/planar-fold", why="any u: the map may fold, and then has no inverse")
def planar_u_unbounded(u, w):
    return u


@equation(
    "FLOW-13/planar-u",
    title="how far along w that u is moved",
    formula=flow.planar_u,
    latex=r"w^\top\hat u=-1+\log(1+e^{w^\top u}),\qquad\hat u-u\parallel w",
    sources=[REZENDE_2015("appendix A.1")],
    evidence="algebra",
    how="the part along w in closed form, the part across by projection",
    given=DIRECTIONS,
    tolerance=1e-12,
    examples=40,
)
def planar_u_along_and_across(planar_u, u, w):
    found = planar_u(u, w)
    across = np.eye(len(w)) - np.outer(w, w) / (w @ w)
    derived = np.append(across @ u, np.log1p(np.exp(w @ u)) - 1)
    return (
        np.append(across @ found, w @ found),
        derived,
        2 + np.sum(abs(w)) * np.sum(abs(u)) + np.sum(abs(found)),
    )


@mutant("norm", of="FLOW-13/planar-u", why="w / ||w|| where w / ||w||^2 belongs")
def planar_u_moved_by_norm(u, w):
    return planar_u_with_norm(u, w)


@mutant("whole", of="FLOW-13/planar-u", why="m(w.u) where the difference m(w.u) - w.u belongs")
def planar_u_moved_too_far(u, w):
    return u + (np.logaddexp(0, w @ u) - 1) * w / (w @ w)
