"""Cards of lossless codes by a density, and what else likelihoods are used for (SYS-43)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import laws, points, positives, rungs, together
from refgen.derivations.line import Law, log_density
from refgen.formulas import likelihood
from refgen.sources import SHANNON_1948, SONG_NOTES

LECTURE = SONG_NOTES("what accurate likelihoods are for")

definition(
    "SYS-43",
    title="outliers and lossless codes by accurate likelihoods",
    latex=r"\mathrm{AUC}=P\big(\log p(x)>\log p(x')\big),\qquad -\log_2\big(p(x)\,w^d\big)\text{ bits}",
    sources=[LECTURE],
    shown_by=[
        "SYS-43/code-length",
        "SDE-9",
        "tests/test_likelihood.py::test_outliers_are_told_as_well_as_by_the_exact_density",
        "tests/test_likelihood.py::test_the_code_is_as_long_as_the_entropy",
    ],
    module=__name__,
)


def lines(k):
    return st.builds(
        Law, laws(k), points(k, -2, 2), st.lists(positives(0.5, 2.0), min_size=k, max_size=k).map(np.array)
    )


def bins(law, width):
    """The masses of bins of that width, and the log-density at their centres."""
    low, high = np.min(law.means - 9 * law.stds), np.max(law.means + 9 * law.stds)
    edges = np.arange(low, high + width, width)
    below = ndtr((edges[:, None] - law.means) / law.stds) @ law.weights
    return np.diff(below), log_density(edges[:-1] + width / 2, law)


@equation(
    "SYS-43/code-length",
    title="a code by the density is as long as the entropy",
    formula=likelihood.code_length,
    latex=r"\mathbb E\big[-\log_2(p(x)\,w^d)\big]\to H=-\sum_iP_i\log_2P_i\quad(w\to0)",
    sources=[LECTURE, SHANNON_1948("section 9")],
    evidence="quadrature",
    how="the entropy of rounded data, a sum over the exact masses of all bins, a quarter std wide or less",
    given=rungs(
        lambda d: together(
            lines=st.lists(lines(2), min_size=d, max_size=d), width=st.sampled_from([0.125, 0.0625, 0.03125])
        ),
        1, 2,
    ),
    tolerance=1e-4,
    examples=25,
)  # fmt: skip
def code_is_as_long_as_the_entropy(code_length, lines, width):
    masses, log_probs = zip(*(bins(law, width) for law in lines), strict=True)
    d, entropy = len(lines), -sum(np.sum(m * np.log2(np.maximum(m, 1e-300))) for m in masses)
    if d == 1:
        return np.sum(masses[0] * code_length(log_probs[0], width, 1)), entropy
    lengths = code_length(log_probs[0][:, None] + log_probs[1], width, d)
    return masses[0] @ lengths @ masses[1], entropy


@mutant("nats", of="SYS-43/code-length", why="nats for bits: 0.69 of the length")
def code_length_in_nats(log_prob, width, d):
    return likelihood.code_length(log_prob, width, d) * math.log(2)


@mutant(
    "unit", of="SYS-43/code-length", why="-log2 of a density: it depends on the unit, and can be negative"
)
def code_length_without_width(log_prob, width, d):
    return likelihood.code_length(log_prob, 1.0, d)


@mutant("sign", of="SYS-43/code-length", why="narrower bins for a shorter code")
def code_length_with_sign(log_prob, width, d):
    return likelihood.code_length(log_prob, 1 / width, d)
