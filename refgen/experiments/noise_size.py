"""Denoising score matching when its noise is small: the variance explodes, and in between lies a best noise.

The variance of the loss and of its gradient over a range of small noise, for one fixed score; and the error
of fits in the clean score, with its two parts: a bias known exactly, and what is left.
Source: Vincent 2011; Dong-A notes, 'Denoising Score Matching'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.linear_score import clean_error, fit_denoising, fit_implicit, law, on_a_grid
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas import denoising
from refgen.formulas.forward import diffuse
from refgen.formulas.score_matching import explicit

__all__ = ["Variances", "bias", "errors", "run", "slope", "variances"]

SMALL = (0.1, 0.05, 0.025, 0.0125)
STDS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)
POINTS, SEEDS = 4000, 8


class Variances(NamedTuple):
    """At each std: variance of the loss of a point, and of its gradient (all parameters together); and what
    the formulas say that both go to."""

    loss: np.ndarray
    gradient: np.ndarray
    loss_limit: np.ndarray
    gradient_limit: np.ndarray


def variances(stds: tuple[float, ...], points: int, rng: Stream) -> Variances:
    """Over so many points with noise of their own, at the score that implicit score matching fits."""
    truth, fields = law(), on_a_grid()
    theta = fit_implicit(fields, truth.sample(rng.spawn("fit"), POINTS))
    x = truth.sample(rng.spawn("data"), points)
    rows: list[tuple[float, ...]] = []
    for std in stds:
        x_noisy = diffuse(x, rng.spawn(f"noise {std}").normal(points, 2), 1.0, std)
        values = fields.values(x_noisy)
        s, target = values @ theta, denoising.kernel_score(x, x_noisy, std)
        loss = denoising.denoising(s, x, x_noisy, std)
        # One point at a time, the mean of the formula is over that point alone.
        each = [
            denoising.denoising_gradient(s[i : i + 1], target[i : i + 1], values[i : i + 1])
            for i in range(points // 10)
        ]
        slopes = float(np.mean(np.sum(values**2, axis=(1, 2))))
        rows.append(
            (
                float(np.var(loss)),
                float(np.sum(np.var(each, axis=0))),
                denoising.loss_var(std, 2),
                denoising.gradient_var(slopes, std),
            )
        )
    return Variances(*np.array(rows).T)


def errors(stds: tuple[float, ...], points: int, seeds: int, rng: Stream) -> np.ndarray:
    """Clean errors of fits at each std, (seeds, stds)."""
    truth, fields = law(), on_a_grid()
    fits = []
    for seed in range(seeds):
        one = rng.spawn(f"{seed}")
        x, eps = truth.sample(one.spawn("data"), points), one.spawn("noise").normal(points, 2)
        fits.append([fit_denoising(fields, x, eps, std) for std in stds])
    return clean_error(fields, np.array(fits), truth)


def bias(stds: tuple[float, ...]) -> np.ndarray:
    """The Fisher divergence of the noisy law, whose score is learned, to the clean one, at each std."""
    truth = law()
    places = plots.grid(5.5, 111)[1]
    mass = np.exp(truth.log_prob(places))
    mass, exact = mass / np.sum(mass), truth.score(places)
    return np.array([mass @ explicit(truth.diffused(1.0, std).score(places), exact) for std in stds])


def slope(stds: Any, values: Any) -> float:
    """The power of std that values follow: least squares on both logarithms."""
    return float(np.polyfit(np.log(stds), np.log(values), 1)[0])


def _figure(found: Variances, mean: np.ndarray, exact_bias: np.ndarray, best: int) -> Figure:
    figure, (left, right) = plots.chart(2, width=9.0, height=3.8)
    for measured, limit, name, colour in [
        (found.loss, found.loss_limit, "loss", plots.LEARNED),
        (found.gradient, found.gradient_limit, "gradient", plots.EXACT),
    ]:
        left.loglog(SMALL, limit, color=plots.DATA, linestyle="--", linewidth=1.2)
        left.loglog(SMALL, measured, color=colour, marker="o", markersize=5, linewidth=0)
        text = f"{name}, slope {slope(SMALL, measured):.2f}"
        left.annotate(text, (SMALL[2], measured[2]), (6, 6), textcoords="offset points", color=colour)
    left.set(xlabel="std of the noise", title="variance at one point, limits dashed")
    left.set_xticks(SMALL, [f"{std:g}" for std in SMALL])
    fine = np.geomspace(STDS[0], STDS[-1], 60)
    right.loglog(fine, bias(tuple(fine)), color=plots.EXACT, linewidth=1.4)
    right.loglog(STDS[:5], mean[0] * (STDS[0] / np.array(STDS[:5])) ** 2, color=plots.DATA, linestyle="--")
    right.loglog(STDS, mean, color=plots.LEARNED, marker="o", markersize=5)
    words: Any = dict(textcoords="offset points")
    right.annotate("bias,\nexact", (STDS[4], exact_bias[4]), (8, -16), color=plots.EXACT, **words)
    right.annotate("variance, as std$^{-2}$", (STDS[1], mean[1]), (12, 6), color=plots.DATA, **words)
    line = dict(arrowstyle="-", color=plots.LEARNED, shrinkB=4)
    words |= dict(ha="center", color=plots.LEARNED, arrowprops=line)
    right.annotate(f"least at std {STDS[best]:g}", (STDS[best], mean[best]), (0, 34), **words)
    right.set(
        xlabel="std of the noise", ylim=(3e-3, 150), title=f"error in the clean score, {POINTS:,} points"
    )
    right.set_xticks(STDS, [f"{std:g}" for std in STDS])
    for ax in (left, right):
        ax.minorticks_off()
        ax.grid(color="#eeeeee")
    return figure


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Measure the variances, then the error of fits at seven levels of noise."""
    say("variances at small noise")
    found = variances(SMALL, 100_000, rng.spawn("variances"))
    say("fits at several levels of noise")
    mean = np.mean(errors(STDS, POINTS, SEEDS, rng.spawn("fits")), axis=0)
    small_bias = bias(SMALL)
    best = int(np.argmin(mean))
    of_limit = found.loss[-1] / found.loss_limit[-1], found.gradient[-1] / found.gradient_limit[-1]
    claims = [
        Claim("slope of the loss's variance", slope(SMALL, found.loss), "==", -4, 0.1),
        Claim("slope of the gradient's variance", slope(SMALL, found.gradient), "==", -2, 0.1),
        Claim(f"loss's variance over d / (2 std^4), std {SMALL[-1]}", of_limit[0], "==", 1, 0.05),
        Claim("gradient's variance over its limit there", of_limit[1], "==", 1, 0.05),
        Claim("slope of the bias, a square of std^2", slope(SMALL, small_bias), "==", 4, 0.2),
        Claim("slope of the error from std 0.01 to 0.1", slope(STDS[:3], mean[:3]), "==", -2, 0.2),
        Claim("levels of noise on the near side of the best", best, ">=", 1),
        Claim("levels on the far side", len(STDS) - 1 - best, ">=", 1),
        Claim("error at the least noise over the best", mean[0] / mean[best], ">=", 2),
        Claim("error at the most noise over the best", mean[-1] / mean[best], ">=", 2),
    ]
    numbers = dict(
        small=dict(std=list(SMALL), bias=small_bias, **found._asdict()),
        fits=dict(std=list(STDS), error=mean, bias=bias(STDS), points=POINTS, seeds=SEEDS),
    )
    return Outcome(
        "The smaller the noise, the larger the variance of denoising score matching, without bound; with "
        "more noise another score is learned. So there is a best size of the noise.",
        claims,
        numbers,
        _figure(found, mean, bias(STDS), best),
        f"Of these {len(STDS)} sizes {STDS[best]:g} is best: below it the error grows like std^-2, which is "
        "variance, above it like the exact bias.",
        "The bias is of order std^2 in the score and never 0. With the weight std^2, as noise-conditional "
        "networks have it, the loss itself no longer explodes; relative to its mean the gradient is as noisy "
        "as before.",
    )
