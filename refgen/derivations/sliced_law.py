"""Cards of the law of directions: what is drawn, and how much an estimate varies with it (SSM-7)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.stats import norm

from refgen.backend import Stream
from refgen.cards import equation, misprint, mutant, z_limit
from refgen.cards.strategies import rungs, together
from refgen.derivations.directions import LAWS, matrices, nodes, spread
from refgen.formulas import sliced
from refgen.sources import HUTCHINSON_1989, SONG_2019_SLICED, SONG_NOTES

LAW = SONG_NOTES("'Sliced Score Matching', choice of the projection's law")


def fourth_power(law, jac):
    """The mean of (v^T A v)^2, by nodes: how large a variance of it could be."""
    v, weights = nodes(law, len(jac))
    return weights @ np.einsum("ki,ij,kj->k", v, jac, v) ** 2


@equation(
    "SSM-7/variance",
    title="the variance of a trace estimate, for each law",
    formula=sliced.trace_var,
    latex=r"\mathrm{Var}_{\mathcal N}=2\lVert S\rVert_F^2,\ "
    r"\mathrm{Var}_{\pm1}=2\big(\lVert S\rVert_F^2-\sum_iS_{ii}^2\big),\ S=\tfrac12(A+A^\top)",
    sources=[LAW, HUTCHINSON_1989(), SONG_2019_SLICED("section 3")],
    evidence="quadrature",
    how="nodes of each law that are exact for fourth powers",
    given=rungs(lambda d: together(jac=matrices(d, d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
)
def variance_by_nodes(trace_var, jac, law):
    v, weights = nodes(law, len(jac))
    values = np.einsum("ki,ij,kj->k", v, jac, v)
    return trace_var(jac, law), spread(weights, values), fourth_power(law, jac) + np.sum(jac**2) + 1


@mutant(
    "asymmetric",
    of="SSM-7/variance",
    why="||A|| for the symmetric part, all that v^T A v sees",
)
def variance_of_the_whole(jac, law):
    off = jac - np.diag(np.diag(jac)) if law == "rademacher" else jac
    return 2 * np.sum(off**2)


@mutant("halved", of="SSM-7/variance", why="the 2 left out")  # fmt: skip
def variance_without_two(jac, law):
    return sliced.trace_var(jac, law) / 2


@equation(
    "SSM-7/signs",
    title="signs vary no more than normals",
    formula=sliced.trace_var,
    latex=r"\mathrm{Var}_{\pm1}(v^\top Av)\le\mathrm{Var}_{\mathcal N}(v^\top Av)",
    sources=[LAW, HUTCHINSON_1989()],
    evidence="quadrature",
    how="the variance over normals by a product rule",
    relation="<=",
    given=rungs(lambda d: together(jac=matrices(d, d)), 1, 2, 3),
    tolerance=1e-11,
)
def signs_are_better(trace_var, jac):
    v, weights = nodes("gaussian", len(jac))
    values = np.einsum("ki,ij,kj->k", v, jac, v)
    scale = fourth_power("gaussian", jac) + 1
    return trace_var(jac, "rademacher"), spread(weights, values), scale


@mutant(
    "kurtosis",
    of="SSM-7/signs",
    why="2 ||S||^2 and the diagonal added, where a sign's fourth power takes it off",
)
def variance_with_diagonal_added(jac, law):
    part = (jac + jac.T) / 2
    return 2 * np.sum(part**2) + 2 * np.sum(np.diag(part) ** 2)


@equation(
    "SSM-7/signs-equal",
    title="signs vary as much as normals where the diagonal is zero",
    formula=sliced.trace_var,
    latex=r"A_{ii}=0\ \Rightarrow\ \mathrm{Var}_{\pm1}(v^\top Av)=\mathrm{Var}_{\mathcal N}(v^\top Av)",
    sources=[LAW, HUTCHINSON_1989()],
    evidence="quadrature",
    how="the variance over normals by a product rule",
    given=rungs(lambda d: together(jac=matrices(d, d).map(lambda a: a - np.diag(np.diag(a)))), 2, 3),
    tolerance=1e-11,
)
def signs_are_as_good(trace_var, jac):
    return signs_are_better(trace_var, jac)


@mutant("norm", of="SSM-7/signs-equal", why="the norm of the symmetric part, not squared")
def variance_by_norm(jac, law):
    return np.sqrt(sliced.trace_var(jac, law))


MATRIX = np.array([[1.0, 0.5, -0.3], [0.2, -2.0, 0.4], [0.1, 0.6, 0.5]])
POINTS = 20_000


@equation(
    "SSM-7/drawn",
    title="the directions that are drawn have E[v v^T] = I",
    formula=sliced.directions,
    latex=r"v\sim\mathcal N(0,I)\text{ or }v_i=\pm1\text{ or }\lVert v\rVert^2=d:\ E[v^\top Av]=\mathrm{tr}A",
    sources=[LAW, SONG_2019_SLICED("section 3"), HUTCHINSON_1989()],
    evidence="monte carlo",
    how="z-scores of the mean of v^T A v against the trace, with the exact variance",
    cases=[
        dict(law=law, seed=seed)
        for law in ("rademacher", "gaussian", "sphere")
        for seed in (0, 1)
    ],
    relative=False,
    tolerance=z_limit(6),
    reject_at=10,
)  # fmt: skip
def drawn_directions_give_the_trace(directions, law, seed):
    v = directions(Stream(seed).normal(POINTS, 3), law)
    at, weights = nodes(law, 3)
    var = spread(weights, np.einsum("ki,ij,kj->k", at, MATRIX, at))
    mean = np.mean(np.einsum("ki,ij,kj->k", v, MATRIX, v))
    return (mean - np.trace(MATRIX)) / np.sqrt(var / POINTS), 0.0


@misprint(
    "ERR-54",
    of="SSM-7/drawn",
    printed=r"\text{Rademacher distributions, which are uniform distributed sine vectors}",
    correct=r"\text{uniformly distributed sign vectors, }v_i=\pm1",
    source=LAW,
    why="heard wrong: the sine of a uniform angle has E[v v^T] = I / 2, so the estimate is half the trace",
)
def sine_vectors(normals, law):
    if law != "rademacher":
        return sliced.directions(normals, law)
    return np.sin(2 * np.pi * norm.cdf(normals))


@mutant("unit", of="SSM-7/drawn", why="the unit sphere for the one of radius sqrt(d): a d-th of the trace")
def unit_sphere(normals, law):
    v = sliced.directions(normals, law)
    return v / np.sqrt(v.shape[-1]) if law == "sphere" else v


@mutant("cube", of="SSM-7/drawn", why="numbers from -1 to 1 for signs: a third of the trace")
def uniform_in_the_cube(normals, law):
    return 2 * norm.cdf(normals) - 1


@equation(
    "SSM-7/length",
    title="signs and the sphere have squared length d, each draw",
    formula=sliced.directions,
    latex=r"\lVert v\rVert^2=d",
    sources=[LAW, SONG_2019_SLICED("section 3")],
    evidence="algebra",
    how="the squared length of what is drawn",
    given=dict(law=st.sampled_from(["rademacher", "sphere"]), d=st.integers(1, 50), seed=st.integers(0, 99)),
    tolerance=1e-13,
    examples=50,
)
def length_is_fixed(directions, law, d, seed):
    return np.sum(directions(Stream(seed).normal(4, d), law) ** 2, axis=1), np.full(4, float(d))


@mutant("normal", of="SSM-7/length", why="normals for signs: right in the mean only")
def normals_for_all(normals, law):
    return normals
