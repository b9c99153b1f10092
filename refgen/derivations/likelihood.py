"""Cards of the likelihood by the probability flow, the instantaneous change of variables (SDE-9)."""

from __future__ import annotations

from functools import cache, partial

import autograd.numpy as anp
import numpy as np
from hypothesis import strategies as st

from refgen import processes
from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.directions import expect, nodes
from refgen.derivations.fields import Blobs, blobs, energy_of, fields, gradient, log_density, vector_field
from refgen.formulas import likelihood
from refgen.sources import CHEN_2018, FIELD, HUTCHINSON_1989, SJTU, SONG_2021, SONG_NOTES

FLOW = [
    SONG_2021("section 4.3 and app. D.2"),
    CHEN_2018("theorem 1"),
    SONG_NOTES("accurate probability evaluation"),
    SJTU("'Continuous Diffusion Models', the probability-flow ODE"),
]
TRACE = [SONG_2021("app. D.2"), HUTCHINSON_1989()]
CHANGE = r"\log p_{t_0}(x)=\log p_T(x_T)+\int_{t_0}^T\nabla\cdot\tilde f(x_t,t)\,dt,\quad"
CHANGE += r"\tilde f=f-\tfrac12g^2\nabla\log p_t"

# Where a step of time is short enough beside the time itself, from the data's side on.
PROCESSES = {
    "vp": (processes.VP(), 0.02, 1.0),
    "ve": (processes.VE(0.1, 10.0), 0.1, 1.0),
    "straight": (processes.Straight(), 0.1, 0.9),
}


def noisy(law, level):
    """The law of signal x_0 + std eps."""
    signal, std = level
    return Blobs(law.weights, signal * law.means, np.sqrt((signal * law.stds) ** 2 + std**2))


def known(law):
    """(x, level) -> the score and its divergence, of Python floats: means of the components' own, and the
    variance of their scores beside the mean of their Jacobians."""

    def score(x, level):
        there = noisy(law, level)
        weights, means, stds = (part.tolist() for part in there)
        d = x.shape[-1]
        logs = [
            -0.5 * sum((x[..., j] - m[j]) ** 2 for j in range(d)) / s**2 + float(np.log(w) - d * np.log(s))
            for w, m, s in zip(weights, means, stds, strict=True)
        ]
        largest = logs[0]
        for one in logs[1:]:
            largest = anp.maximum(largest, one)
        shares = [anp.exp(one - largest) for one in logs]
        total = sum(shares)
        towards = [[(m[j] - x[..., j]) / s**2 for j in range(d)] for m, s in zip(means, stds, strict=True)]
        mean = [sum(r * u[j] for r, u in zip(shares, towards, strict=True)) / total for j in range(d)]
        bend = [sum(v * v for v in u) - d / s**2 for u, s in zip(towards, stds, strict=True)]
        div = sum(r * b for r, b in zip(shares, bend, strict=True)) / total - sum(v * v for v in mean)
        return anp.stack(mean, axis=-1), div

    return score


@cache
def moment(name, t):
    """Drift, diffusion and level at a time, which rounding may have put behind the last."""
    process, start, end = PROCESSES[name]
    t = min(max(t, start), end)
    return likelihood.Moment(process.drift(t), process.diffusion_var(t), process.level(t))


def by_the_flow(log_prob, x, law, name, steps, method):
    """What the formula says of points of a mixture, from the exact score and the exact law at the end."""
    process, start, end = PROCESSES[name]
    energy = energy_of(noisy(law, process.level(end)))
    return log_prob(x, known(law), lambda x: -energy(x), partial(moment, name), start, end, steps, method)


def truth(x, law, name):
    process, start, _ = PROCESSES[name]
    return log_density(x, noisy(law, process.level(start)))


@equation(
    "SDE-9",
    title="exact likelihood by the probability flow",
    formula=likelihood.log_prob,
    latex=CHANGE,
    sources=FLOW,
    evidence="oracle",
    how="the log-density of a mixture under the noise of t_0; exact score, and the exact law at T for prior",
    given=rungs(
        lambda d: together(
            law=blobs(d), x=points(d, -2, 2), name=st.sampled_from(sorted(PROCESSES, reverse=True))
        ),
        1, 2, 3,
    ),
    tolerance=1e-3,
    tolerance32=1e-3,
    relative=False,
    examples=6,
)  # fmt: skip
def flow_knows_the_density(log_prob, law, x, name):
    return by_the_flow(log_prob, x, law, name, 30, "rk4"), truth(x, law, name)


def wrong_score(change):
    """The formula with another score and divergence, (s, div, d) -> (s, div)."""

    def log_prob(x, score, *rest):
        d = x.shape[-1]
        return likelihood.log_prob(x, lambda x, level: change(*score(x, level), d), *rest)

    return log_prob


@mutant(
    "sign",
    of="SDE-9",
    why="minus the integral: as if the flow, which gathers points, spread them",
)
def log_prob_with_the_integral_taken_off(x, score, prior, *rest):
    gained = likelihood.log_prob(x, score, lambda x: 0 * x[..., 0], *rest)
    return likelihood.log_prob(x, score, prior, *rest) - 2 * gained


@mutant("half", of="SDE-9", why="g^2 for g^2 / 2: the drift of the reverse SDE, where no noise is added")
def log_prob_by_the_reverse_drift(x, score, *rest):
    return wrong_score(lambda s, div, d: (2 * s, 2 * div))(x, score, *rest)


@mutant("over-d", of="SDE-9", why="the trace divided by d, a mean for a sum; on a line, no trace")
def log_prob_with_the_mean_of_the_diagonal(x, score, *rest):
    return wrong_score(lambda s, div, d: (s, div / d if d > 1 else 0 * div))(x, score, *rest)


@mutant("prior", of="SDE-9", why="the density of the prior at x itself, not at x_T, where the flow takes it")
def log_prob_with_the_prior_at_x(x, score, prior, *rest):
    return prior(x) + likelihood.log_prob(x, score, lambda x: 0 * x[..., 0], *rest)


# ---- the divergence, and its estimate
def _fields(d):
    return together(field=fields(d), x=points(d, -2, 2), f=reals(-4, 2), g2=positives(0.1, 10.0))


@equation(
    "SDE-9/divergence",
    title="the divergence of the flow's velocity",
    formula=likelihood.flow_divergence,
    latex=r"\nabla\cdot\big(f\,x-\tfrac12g^2s(x)\big)=f\,d-\tfrac12g^2\,\nabla\cdot s(x)",
    sources=TRACE,
    evidence="autodiff",
    how="the trace of the velocity's whole Jacobian by complex steps",
    given=rungs(_fields, 1, 2, 3, 5),
    tolerance=1e-12,
)
def divergence_of_the_velocity(flow_divergence, field, x, f, g2):
    s = vector_field(field)
    jac = gradient(lambda z: f * z - 0.5 * g2 * s(z), x)
    score_jac = gradient(s, x)
    scale = len(x) * abs(f) + g2 * np.sum(abs(np.diag(score_jac)))
    return flow_divergence(f, g2, np.trace(score_jac), len(x)), np.trace(jac), scale + 1e-300


@mutant("half", of="SDE-9/divergence", why="g^2 for g^2 / 2: of the reverse SDE's drift")
def divergence_of_the_reverse_drift(f, g2, div_score, d):
    return likelihood.flow_divergence(f, 2 * g2, div_score, d)


@mutant("once", of="SDE-9/divergence", why="f counted once for all d coordinates; on a line, twice")
def divergence_with_one_coordinate_of_drift(f, g2, div_score, d):
    return 0.5 * likelihood.flow_divergence(2 * f, 2 * g2, div_score, 1 if d > 1 else 2)


@mutant("sign", of="SDE-9/divergence", why="plus the score's divergence: noise would gather points")
def divergence_with_sign(f, g2, div_score, d):
    return likelihood.flow_divergence(f, -g2, div_score, d)


@equation(
    "SDE-9/hutchinson",
    title="with an estimated trace the divergence is right in the mean",
    formula=likelihood.flow_divergence,
    latex=r"\mathbb E_v\big[f\,d-\tfrac12g^2\,v^\top(\nabla s)\,v\big]=\nabla\cdot v_t,\quad"
    r"\mathbb E[vv^\top]=I",
    sources=[*TRACE, FIELD("a trace estimate divided by the dimension")],
    evidence="quadrature",
    how="all signs, or a rule that is exact for normals, against the trace by complex steps; the way is the "
    "same for every v, so the log-density is right in the mean, too",
    given=rungs(
        lambda d: together(fields=_fields(d), law=st.sampled_from(["rademacher", "gaussian"])), 1, 2, 3
    ),
    tolerance=1e-11,
)
def estimate_is_unbiased(flow_divergence, fields, law):
    field, x, f, g2 = (fields[name] for name in ("field", "x", "f", "g2"))
    s, d = vector_field(field), len(x)
    v, weights = nodes(law, d)
    jac = gradient(s, x)
    claimed = flow_divergence(f, g2, np.einsum("ki,ij,kj->k", v, jac, v), d)
    derived = np.trace(gradient(lambda z: f * z - 0.5 * g2 * s(z), x))
    return expect(weights, claimed), derived, d * abs(f) + 3 * d * g2 * np.sum(abs(jac)) + 1e-300


@mutant("over-d", of="SDE-9/hutchinson", why="v^T J v over d, as for |v| = 1; on a line, g^2 for g^2 / 2")
def divergence_with_the_estimate_over_d(f, g2, div_score, d):
    return likelihood.flow_divergence(f, g2, div_score / d, d) if d > 1 else f * d - g2 * div_score


@mutant("half", of="SDE-9/hutchinson", why="g^2 for g^2 / 2")
def estimate_of_the_reverse_drift(f, g2, div_score, d):
    return likelihood.flow_divergence(f, 2 * g2, div_score, d)
