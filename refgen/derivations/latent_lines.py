"""Cards of the way from log p(x) to its lower bound, line by line, on tables (ELBO-1 to ELBO-3)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, rungs, together
from refgen.formulas import latent
from refgen.sources import KIM, LUO_2022


def tables_of(k):
    """A law of k latent states, the probability under each of the x that was seen, and an encoder."""
    seen = st.lists(st.integers(1, 9), min_size=k, max_size=k).map(lambda n: np.array(n) / 10)
    return together(prior=laws(k), likelihood=seen, q=laws(k))


TABLES = rungs(tables_of, 2, 3)


# ---- ELBO-1 to ELBO-3: the lecture's equations (9) to (16)
def mean_of_q(q, joint):
    return np.log(np.sum(joint)) * np.mean(q)


def not_weighted(q, joint):
    return np.sum(np.log(np.sum(joint)) + 0 * q)


def joint_for_evidence(q, joint):
    return np.sum(q * np.log(joint))


def encoder_for_posterior(q, joint):
    return np.sum(q * np.log(joint / q))


def multiplied_above_only(q, joint):
    return np.sum(q * np.log(q * np.sum(joint)))


def with_minus(q, joint):
    return np.sum(q * np.log(joint / q) - q * np.log(q * np.sum(joint) / joint))


def other_direction(q, joint):
    posterior = joint / np.sum(joint)
    return np.sum(q * np.log(joint / q)) + np.sum(posterior * np.log(posterior / q))


LINES = {
    9: ("ELBO-1", r"\log p(x)\sum_zq(z|x)", "the mass of q", mean_of_q, "the mean of q over the states"),
    10: ("ELBO-1", r"\sum_zq(z|x)\log p(x)", "under the sum", not_weighted, "summed over z without q"),
    11: (
        "ELBO-1",
        r"E_q[\log p(x)]",
        "an expectation",
        joint_for_evidence,
        "log p(x, z), which does depend on z, for log p(x)",
    ),
    12: (
        "ELBO-1",
        r"E_q[\log p(x,z)/p(z|x)]",
        "the product rule",
        encoder_for_posterior,
        "divided by the encoder's q(z|x) where the product rule has the posterior",
    ),
    13: (
        "ELBO-1",
        r"E_q[\log p(x,z)q(z|x)/p(z|x)q(z|x)]",
        "times q over q",
        multiplied_above_only,
        "q above the bar and not below it",
    ),
    14: (
        "ELBO-2",
        r"E_q[\log p(x,z)/q(z|x)]+E_q[\log q(z|x)/p(z|x)]",
        "two expectations",
        with_minus,
        "the second with a minus",
    ),
    15: (
        "ELBO-2",
        r"E_q[\log p(x,z)/q(z|x)]+D_{KL}(q(z|x)\Vert p(z|x))",
        "bound and divergence",
        other_direction,
        "the divergence of the posterior from the encoder: the other direction",
    ),
}


def register(number, row, latex, step, wrong, why):
    """One line of the derivation against log p(x) by the sum rule."""

    @equation(
        f"{row}/{number}",
        title=f"log p(x), equation {number} of the lecture: {step}",
        formula=latent.evidence_lines,
        latex=r"\log p(x)=" + latex,
        sources=[KIM(f"'VAE', eq. {number}"), LUO_2022(f"eq. {number}")],
        evidence="chain",
        how="the sum rule: log of sum_z p(x|z) p(z)",
        given=TABLES,
        tolerance=1e-13,
        examples=40,
    )
    def line_is_the_evidence(evidence_lines, prior, likelihood, q):
        joint = prior * likelihood
        scale = 1 + np.sum(q * abs(np.log(joint)) + q * abs(np.log(q)))
        return evidence_lines(q, joint)[number - 9], np.log(prior @ likelihood), scale

    @mutant(wrong.__name__.replace("_", "-"), of=f"{row}/{number}", why=why)
    def with_that_line_wrong(q, joint):
        lines = latent.evidence_lines(q, joint).copy()
        lines[number - 9] = wrong(q, joint)
        return lines


for number, parts in LINES.items():
    register(number, *parts)


@equation(
    "ELBO-3/16",
    title="log p(x), equation 16 of the lecture: the divergence left out",
    formula=latent.evidence_lines,
    latex=r"E_q[\log p(x,z)/q(z|x)]\le\log p(x)",
    sources=[KIM("'VAE', eq. 16"), LUO_2022("eq. 16")],
    evidence="chain",
    how="the sum rule: log of sum_z p(x|z) p(z)",
    given=TABLES,
    relation="<=",
    relative=False,
    tolerance=1e-13,
    tolerance32=1e-5,
    examples=40,
)
def bound_is_below_the_evidence(evidence_lines, prior, likelihood, q):
    return evidence_lines(q, prior * likelihood)[7], np.log(prior @ likelihood)


@mutant("posterior", of="ELBO-3/16", why="the mean over p(z|x), not over q: an upper bound")
def bound_under_the_posterior(q, joint):
    lines = latent.evidence_lines(q, joint).copy()
    lines[7] = np.sum(joint / np.sum(joint) * np.log(joint / q))
    return lines
