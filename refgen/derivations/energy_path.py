"""Cards of the way back from the score to the density, along paths (EBM-9, EBM-10/circulation)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.derivations.fields import blobs, density, fields, gradient, log_density, vector_field
from refgen.formulas import energy
from refgen.sources import SONG_2019, SONG_KINGMA_2021, SONG_NOTES

FUNCTIONS = SONG_NOTES("'Score functions'")


@equation(
    "EBM-9/path",
    title="the score, summed along a path, gives the density's ratio",
    formula=energy.line_integral,
    latex=r"\log p(b)-\log p(a)=\int_\gamma s\cdot d\ell",
    sources=[FUNCTIONS],
    evidence="quadrature",
    how="the log-density of a mixture at both ends; the path is straight or bent",
    given=rungs(
        lambda d: together(
            law=blobs(d, narrowest=0.7), a=points(d, -3, 3), b=points(d, -3, 3), bend=points(d, -2, 2)
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-10,
    examples=25,
)
def work_of_the_score(line_integral, law, a, b, bend):
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = 0.5 * (nodes[:, None] + 1)
    x = a + u * (b - a) + np.sin(np.pi * u) * bend
    velocity = (b - a) + np.pi * np.cos(np.pi * u) * bend
    score = gradient(lambda z: log_density(z, law), x)
    start, end = log_density(np.stack([a, b]), law)
    scale = 1 + np.mean(np.sum(abs(score * velocity), axis=-1))
    return line_integral(score, velocity, 0.5 * weights), end - start, scale


@mutant("speed", of="EBM-9/path", why="the length of the score, not its part along the path")
def work_of_the_norm(score, velocity, weight):
    return np.sum(weight * np.sqrt(np.sum(score**2, -1) * np.sum(velocity**2, -1)), axis=-1)


@mutant("velocity", of="EBM-9/path", why="the path's velocity left out")
def work_without_velocity(score, velocity, weight):
    return np.sum(weight * np.sum(score, axis=-1), axis=-1)


@equation(
    "EBM-9/density",
    title="on a connected support the density follows from its score",
    formula=energy.line_integral,
    latex=r"p(x)\propto\exp\int_{x_0}^xs(y)\,dy",
    sources=[FUNCTIONS],
    evidence="quadrature",
    how="the density of a mixture on a grid; from the score, cell by cell, then normalised",
    given=together(law=blobs(1)),
    tolerance=1e-9,
    tolerance32=1e-3,
    examples=40,
)
def density_from_the_score(line_integral, law):
    edges = np.linspace(
        np.min(law.means - 6 * law.stds[:, None]), np.max(law.means + 6 * law.stds[:, None]), 501
    )
    nodes, weights = np.polynomial.legendre.leggauss(6)
    half = 0.5 * (edges[1] - edges[0])
    x = (edges[:-1, None] + half * (nodes + 1))[..., None]
    score = gradient(lambda z: log_density(z, law)[..., None], x)[..., 0]
    steps = line_integral(score, np.full_like(score, half), weights)
    log_p = np.concatenate([[0.0], np.cumsum(steps)])
    claimed, derived = np.exp(log_p - np.max(log_p)), density(edges[:, None], law)
    return claimed / np.sum(claimed), derived / np.sum(derived), np.max(derived) / np.sum(derived)


@mutant("sign", of="EBM-9/density", why="the gradient of the energy for the score: the density upside down")
def density_upside_down(score, velocity, weight):
    return -np.sum(weight * np.sum(score * velocity, axis=-1), axis=-1)


@equation(
    "EBM-9/pieces",
    title="on a support of several pieces the score says nothing of their weights",
    formula=energy.free_weights,
    latex=r"\dim\{p:\nabla\log p=s\}=\#\text{pieces of the support}-1",
    sources=[FUNCTIONS, SONG_2019("section 3.2.2")],
    evidence="algebra",
    how="the score fixes differences of log p between neighbours in the support: the rank of these equations",
    given=rungs(
        lambda k: together(
            low=st.lists(st.integers(0, 12), min_size=k, max_size=k, unique=True).map(sorted),
            length=st.lists(st.integers(1, 4), min_size=k, max_size=k),
        ),
        1,
        2,
        3,
        5,
    ),
    relative=False,
    tolerance=1e-9,
)
def rank_of_what_the_score_says(free_weights, low, length):
    high = [a + n for a, n in zip(low, length, strict=True)]
    # The points that are multiples of one half: of two neighbours, one lies inside an interval.
    cells = sorted({c for a, b in zip(low, high, strict=True) for c in range(2 * a, 2 * b + 1)})
    rows = [[(c == two) - (c == one) for c in cells] for one, two in pairwise(cells) if two == one + 1]
    rank = np.linalg.matrix_rank(np.array(rows, float))
    claimed = free_weights(np.array(low, float), np.array(high, float))
    return float(claimed), float(len(cells) - rank - 1)


@misprint(
    "ERR-35",
    of="EBM-9/pieces",
    printed=r"\text{with the score function, we can also recover the density}",
    correct=r"\text{only on a connected support; else up to the weights of its pieces}",
    source=FUNCTIONS,
    why="two densities on disjoint intervals with other weights have the same score. As printed, nothing "
    "would be left open",
)
def always_recovered(low, high):
    return 0 * low[0]


@mutant("intervals", of="EBM-9/pieces", why="intervals counted where they overlap or touch")
def intervals_for_pieces(low, high):
    return len(low) - 1 + 0 * low[0]


@equation(
    "EBM-10/circulation",
    title="round a circle a field that is no score does work",
    formula=energy.line_integral,
    latex=r"\oint s\cdot d\ell=\iint(\partial_1s_2-\partial_2s_1)\,dA",
    sources=[SONG_KINGMA_2021(), SONG_NOTES("'Score-based models'")],
    evidence="quadrature",
    how="Stokes: the asymmetry of the Jacobian, by complex steps, summed over the disc",
    given=together(field=fields(2), centre=points(2, -2, 2), radius=positives(0.3, 2)),
    tolerance=1e-9,
    examples=50,
)
def work_round_a_circle(line_integral, field, centre, radius):
    s, angle = vector_field(field), 2 * np.pi * np.arange(96) / 96
    out = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    along = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
    claimed = line_integral(s(centre + radius * out), radius * along, np.full(96, 2 * np.pi / 96))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    radii, rings = 0.5 * radius * (nodes + 1), 0.5 * radius * weights
    turn = gradient(s, centre + radii[:, None, None] * out)
    curl = np.mean(turn[..., 1, 0] - turn[..., 0, 1], axis=1)
    return (
        claimed,
        2 * np.pi * np.sum(rings * radii * curl),
        radius * (1 + np.sum(abs(s(centre + radius * out))) / 15),
    )


@misprint(
    "ERR-36/circulation",
    of="EBM-10/circulation",
    printed=r"s_\theta(x)=\nabla_x\log p_\theta(x)\text{ for any network}",
    correct=r"\oint s_\theta\cdot d\ell=0\text{ only where }s_\theta\text{ is a gradient}",
    source=SONG_NOTES("'Score-based models'"),
    why="if every field were the score of a density, none would do work round a circle",
)
def no_circulation(score, velocity, weight):
    return 0 * np.sum(score)
