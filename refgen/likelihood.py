r"""How likely points are, by a denoiser alone: exact or learned, under any process.         [SDE-9, SYS-43]

The probability-flow ODE takes data to noise, whose density is known; on the way the log-density changes by
the divergence of the velocity. Nothing is drawn but, if asked for, the directions of an estimated trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.backend import Stream, to_host
from refgen.denoisers import Denoiser
from refgen.distributions.base import Distribution
from refgen.formulas import gaussian, likelihood, sliced
from refgen.formulas.likelihood import METHODS, Moment
from refgen.formulas.runge_kutta import step_error
from refgen.nets.derivatives import sliced_trace, trace
from refgen.processes import Process

__all__ = ["PRIORS", "TRACES", "bits_per_dimension", "calls", "log_prob", "prior_gap"]

Array = Any

TRACES = ("exact", "hutchinson")
PRIORS = ("gaussian", "exact")
ON_LATTICE = 1e-4  # of a bin: what rounding may move a discrete point


def log_prob(
    denoiser: Denoiser,
    process: Process,
    x: Array,
    rng: Stream | None = None,
    *,
    trace: str = "exact",
    steps: int = 64,
    method: str = "rk4",
    draws: int = 1,
    prior: str = "gaussian",
    batch: int = 4096,
) -> tuple[Array, Array]:
    r"""Log-density of points and how far off the integrator is, (n,) each, in nats.          [SDE-9]

    The density is that of x_0 + (std / signal) eps at the earliest level, t_min: of the data under a little
    noise, by which they have a density at all. For a learned denoiser it is the model's own, that of what the
    flow makes of the prior (over signal): a density and not a bound, though no training has fitted it.

    x: (n, d), of one precision. trace: of the score's Jacobian, "exact", by d reverse passes, or
    "hutchinson", by `draws` random signs a point from rng, the same all along its way: unbiased, and one
    pass each, for large d; their spread is no part of the error that is told. steps: >= 2, even in the
    log-SNR. method: "rk4" or "heun", of four calls and two. prior: "gaussian", N(0, std^2) at t_max, where
    samplers start; or "exact", the law that is there, of a denoiser with a density. The two are `prior_gap`
    apart. batch: points at a time, whose number changes no result but by rounding.

    The error is told by a comparison with half as many steps; rounding in float32 adds some 1e-5. Where it is
    large it is but a warning; and far from all data, where sharp edges send a point to the noise's farthest
    tails, it can be told too small.
    Raises ValueError for another trace, method or prior, a number too small, and where rng is missing.
    """
    if not isinstance(process, Process):
        raise ValueError(f"process is a {type(process).__name__}; it must be a Process, such as VP()")
    _require_known(trace=(trace, TRACES), method=(method, tuple(METHODS)), prior=(prior, PRIORS))
    for name, value, least in (("steps", steps, 2), ("draws", draws, 1), ("batch", batch, 1)):
        if isinstance(value, bool) or not isinstance(value, int | onp.integer) or value < least:
            raise ValueError(f"{name} is {value!r}; it must be an integer >= {least}")
    if np.ndim(x) != 2:
        raise ValueError(f"x has shape {np.shape(x)}; it must be (n, d)")
    v = None
    if trace == "hutchinson":
        if rng is None:
            raise ValueError("rng is None; trace 'hutchinson' draws its directions from one")
        v = sliced.directions(rng.normal(draws, *x.shape, dtype=x.dtype), "rademacher")
    moment, start, end = _in_log_snr(process)
    signal, _ = process.level(process.t_min)
    order = METHODS[method][1]
    found, errors = [], []
    for i in range(0, max(len(x), 1), batch):
        some = signal * x[i : i + batch]
        score = _score(denoiser, None if v is None else v[:, i : i + batch])
        ways = [
            likelihood.log_prob(some, score, _prior(denoiser, process, prior), moment, start, end, n, method)
            for n in (steps // 2, steps)
        ]
        found.append(ways[1] + x.shape[1] * math.log(signal))
        errors.append(step_error(ways[0], ways[1], steps / (steps // 2), order))
    return np.concatenate(found), np.concatenate(errors)


def calls(steps: int = 64, method: str = "rk4") -> int:
    """How often `log_prob` asks the denoiser for a point; each time it is differentiated, too."""
    _require_known(method=(method, tuple(METHODS)))
    return METHODS[method][2] * (steps + steps // 2)


def prior_gap(law: Distribution, process: Process) -> float:
    """KL of the law at t_max from the N(0, std^2) that stands in for it, by its mean and covariance, in nats.

    That of the Gaussian of the same moments: at least so much lies between the two priors of `log_prob`, and
    hardly more, since little but the moments is left under so much noise.
    """
    there = law.diffused(*process.level(process.t_max))
    var = process.std(process.t_max) ** 2 * onp.eye(law.dim)
    return float(gaussian.kl_gaussian(there.mean, there.cov, onp.zeros(law.dim), var))


def bits_per_dimension(log_prob: Array, x: Array, width: float) -> Array:
    """Bits a coordinate in which a lossless code sends discrete points, (n,).     [SYS-43]

    Only discrete data have them: a code of all of a real number's digits has no end, and what -log2 of a
    density gives depends on the unit. log_prob: (n,), log-density in nats at x, or a mean of it over
    noise that is uniform in the bin, which gives a bound. x: (n, d), whose coordinates are whole multiples of
    width, all shifted alike. Raises ValueError where they are not. Data that are not discrete may be rounded
    to bins first; formulas.likelihood.code_length is then of the whole point.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"width is {width}; it must be a finite number > 0")
    on_host = to_host(x) / width
    if on_host.ndim != 2 or on_host.shape[1] == 0:
        raise ValueError(f"x has shape {on_host.shape}; it must be (n, d) with d >= 1")
    off = on_host - on_host[:1]
    if not onp.all(onp.abs(off - onp.round(off)) <= ON_LATTICE):  # nan, too, is on no lattice
        raise ValueError(
            f"x is not discrete: its coordinates are no multiples of width {width:g}; continuous data have "
            "no bits per dimension, and their log-density depends on the unit"
        )
    return likelihood.code_length(log_prob, width, on_host.shape[1]) / on_host.shape[1]


def _in_log_snr(process: Process) -> tuple[Callable[[float], Moment], float, float]:
    """The flow with the log-SNR for its time, in which the levels are even; where it starts and ends."""

    @cache
    def moment(log_snr: float) -> Moment:
        t = min(max(process.time(log_snr), process.t_min), process.t_max)
        f, g2, level = float(process.drift(t)), float(process.diffusion_var(t)), process.level(t)
        rate = -(level[1] ** 2) / g2  # dt over d log-SNR
        return Moment(f * rate, g2 * rate, level)

    return moment, float(process.log_snr(process.t_min)), float(process.log_snr(process.t_max))


def _score(denoiser: Denoiser, v: Array | None) -> Callable[..., tuple[Array, Array]]:
    """(x, level) -> the score and its divergence, or the mean estimate of it along v, (draws, n, d)."""

    def score(x: Array, level: tuple[float, float]) -> tuple[Array, Array]:
        def at_level(x: Array) -> Array:
            return denoiser.score(x, *level)

        if v is None:
            return trace(at_level, x)
        s, estimates = sliced_trace(at_level, x, v)
        return s, np.mean(estimates, axis=0)

    return score


def _prior(denoiser: Denoiser, process: Process, prior: str) -> Callable[[Array], Array]:
    """log p_T, at t_max."""
    signal, std = process.level(process.t_max)
    if prior == "exact":
        return lambda x: denoiser.log_prob(x, signal, std)
    return lambda x: gaussian.log_prob_isotropic(x, np.zeros_like(x), std**2)


def _require_known(**named: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, known) in named.items():
        if value not in known:
            raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
