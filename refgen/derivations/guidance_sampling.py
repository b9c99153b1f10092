"""Cards of what guided sampling ends in, and of the tilted law, for Gaussians (GUIDE-5, GUIDE-6)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import quad

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, together
from refgen.formulas import guidance
from refgen.sources import BRADLEY_2024, FIELD

SCALES = st.one_of(st.sampled_from([2.0, 1.0, 0.5, 4.0]), st.floats(0, 6, allow_subnormal=False))


def narrower(**more):
    """A class narrower than all the data, so that the tilted law is a law for every s >= 0."""
    both = together(var=positives(0.5, 4.0), part=positives(0.2, 0.95), s=SCALES, **more)
    return both.map(lambda d: {"var": d["var"], "var_c": d["var"] * d["part"], "s": d["s"]})


@equation(
    "GUIDE-5",
    title="the tilted law p(x)^(1-s) p(x|c)^s of two Gaussians: precisions are joined",
    formula=guidance.tilted_var,
    latex=r"\frac1V=\frac{1-s}a+\frac sb",
    sources=[BRADLEY_2024("section 3")],
    evidence="quadrature",
    how="the second moment of p(x) p(c|x)^s, normalised by a sum over a grid",
    given=narrower(),
    tolerance=1e-9,
    examples=40,
)
def variance_of_the_tilted_law(tilted_var, var, var_c, s):
    reach = 12 * math.sqrt(var)
    x = np.linspace(-reach, reach, 4001)
    log_p, log_p_c = -(x**2) / (2 * var), -(x**2) / (2 * var_c)
    mass = np.exp(log_p + s * (log_p_c - log_p))
    return tilted_var(var, var_c, s), float(mass @ x**2 / np.sum(mass))


@mutant("variances", of="GUIDE-5", why="the variances joined in place of the precisions")
def joined_variances(var, var_c, s):
    return (1 - s) * var + s * var_c


@mutant("power", of="GUIDE-5", why="the conditional law to the power s, without the unconditional one")
def power_of_the_conditional(var, var_c, s):
    return var_c / max(s, 1e-3)


@mutant("off-by-one", of="GUIDE-5", why="w in place of s")
def tilted_off_by_one(var, var_c, s):
    return 1 / (-s / var + (1 + s) / var_c)


# ---- GUIDE-6: what guided sampling ends in
def precision(u, var, var_c, s):
    """Minus the guided score over x where data have got noise of variance u."""
    return (1 - s) / (var + u) + s / (var_c + u)


def contraction(u, var, var_c, s):
    """The integral of twice the guided precision from 0 to u, term by term."""
    return 2 * ((1 - s) * math.log1p(u / var) + s * math.log1p(u / var_c))


@equation(
    "GUIDE-6/flow",
    title="guided sampling by the flow ends in another law than the tilted one",
    formula=guidance.guided_flow_var,
    latex=r"V=a^{1-s}b^s",
    sources=[BRADLEY_2024("section 3"), FIELD("guided samples taken for those of the tilted law")],
    evidence="quadrature",
    how="the logarithm of the variance along the flow, integrated from endless noise to none",
    given=narrower(),
    tolerance=1e-8,
    examples=40,
)
def variance_along_the_flow(guided_flow_var, var, var_c, s):
    # d log V / du = precision(u), and V = u far out: log V(0) is minus what is left without 1 / (1 + u)
    def left(z):
        u = math.exp(z)
        return u * (precision(u, var, var_c, s) - 1 / (1 + u))

    below, above = quad(left, -40, 0, epsabs=1e-12)[0], quad(left, 0, 40, epsabs=1e-12)[0]
    return guided_flow_var(var, var_c, s), math.exp(-below - above)


@mutant("tilted", of="GUIDE-6/flow", why="the tilted law's variance: the claim that guidance samples it")
def flow_ends_in_the_tilted_law(var, var_c, s):
    return 1 / ((1 - s) / var + s / var_c)


@mutant("conditional", of="GUIDE-6/flow", why="the conditional law's whatever s: guidance without a price")
def flow_ends_in_the_conditional(var, var_c, s):
    return var_c


@mutant("swapped", of="GUIDE-6/flow", why="data and class swapped: more guidance, more spread")
def flow_swapped(var, var_c, s):
    return var**s * var_c ** (1 - s)


@equation(
    "GUIDE-6/chain",
    title="guided sampling by the reverse diffusion ends in a third law",
    formula=guidance.guided_chain_var,
    latex=r"V=a^{2(1-s)}b^{2s}\int_0^\infty\frac{du}{(a+u)^{2(1-s)}(b+u)^{2s}}"
    r"=b\,\frac{\varphi((2s-1)\log\frac ba)}{\varphi(\log\frac ba)}",
    sources=[BRADLEY_2024("section 3"), FIELD("guided samples taken for those of the tilted law")],
    evidence="quadrature",
    how="noise that comes in at each level and is drawn together on the way to clean data, added up",
    given=narrower(),
    tolerance=1e-8,
    examples=40,
)
def variance_along_the_chain(guided_chain_var, var, var_c, s):
    # dV/du = 2 precision V - 1: what enters between u and u + du has shrunk by exp(-contraction) at the end
    def left(z):
        u = math.exp(z)
        return u * math.exp(-contraction(u, var, var_c, s))

    parts = [quad(left, low, low + 12, epsabs=1e-13)[0] for low in range(-36, 36, 12)]
    return guided_chain_var(var, var_c, s), sum(parts)


@mutant("tilted", of="GUIDE-6/chain", why="the tilted law's variance: the claim that guidance samples it")
def chain_ends_in_the_tilted_law(var, var_c, s):
    return 1 / ((1 - s) / var + s / var_c)


@mutant("flow", of="GUIDE-6/chain", why="that of the flow: with guidance the samplers no longer agree")
def chain_ends_as_the_flow(var, var_c, s):
    return var ** (1 - s) * var_c**s


@mutant("conditional", of="GUIDE-6/chain", why="the conditional law's whatever s")
def chain_ends_in_the_conditional(var, var_c, s):
    return var_c


@equation(
    "GUIDE-6/order",
    title="with s > 1, guided sampling is narrower than the tilted law",
    formula=guidance.guided_chain_var,
    relation="<=",
    latex=r"b\,\frac{\varphi((2s-1)\log\frac ba)}{\varphi(\log\frac ba)}\le"
    r"\Big(\frac{1-s}a+\frac sb\Big)^{-1}\qquad(s\ge1,\ b<a)",
    sources=[BRADLEY_2024("section 3")],
    evidence="algebra",
    how="the variance of the tilted law, by joining precisions",
    given=narrower().map(lambda d: d | {"s": 1 + d["s"]}),
    tolerance=1e-12,
)
def chain_is_narrower(guided_chain_var, var, var_c, s):
    return guided_chain_var(var, var_c, s), 1 / ((1 - s) / var + s / var_c)


@mutant("conditional", of="GUIDE-6/order", why="the class's variance, which is above the tilted law's")
def no_narrower_than_the_class(var, var_c, s):
    return var_c
