"""How good a trained model is, against the exact law of its data: every number with its floor or its null."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from refgen.backend import Stream, to_host
from refgen.denoisers import ExactDenoiser
from refgen.distributions.base import Distribution
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein

__all__ = ["CONTROL_BOUND", "MODEL_BOUND", "control_terms", "evaluate", "report_lines", "score_times"]

# What counts as good, in multiples of the largest distance that two exact samples have.
MODEL_BOUND, CONTROL_BOUND = 3.0, 1.5

# A mode is covered where at least this share of its points lie where this share of the exact ones do.
COVERED_SHARE, COVERED_REGION = 0.25, 0.99

CONTROL_TERMS = 3e10  # of the exact denoiser's sums, two minutes on one core; above, there is no control


def score_times(T: int) -> list[int]:
    """The times at which the score is compared, from noisy to clean, denser towards the data."""
    return sorted({max(1, round(T * share)) for share in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)})[::-1]


def control_terms(model: Any, law: Distribution, n: int) -> int:
    """How many terms the control sums: steps times points times components of the law (or points of it)."""
    return model.calls() * n * len(getattr(law, "means", [0]))


def evaluate(
    model: Any,
    params: Any,
    law: Distribution,
    rng: Stream,
    *,
    n: int = 10_000,
    n_directions: int = 128,
    control: bool | None = None,
    density: bool = True,
    say: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Compare a trained model with the exact law of its (standardised) data; plain JSON.

    A model `of_noisy_data` is compared with that law under the noise of its one level. One without a
    `denoiser` has no score and no levels of noise: it has no control either. The work is done where params
    are, which must be where rng draws.
    n: points in each sample. control: also run the sampler with the exact denoiser, which leaves the
    sampler's own error alone; None: unless it has more than 3e10 terms (`control_terms`). density: also the
    negative log-likelihood where the model has one, or its bound, minus the entropy. say: is told each stage
    as it begins.

    Keys: calls (evaluations of the network for a point) and seconds (for all n points, which vary from run to
    run); noise (std of what the model has learned along with the data, or 0); floor (sliced Wasserstein
    distance of two exact samples, max and mean over five draws); samples and control (distance, times_floor,
    bound); nll (kind, "exact" or "bound"; the value, named bound in either case; entropy, gap and its
    standard error, in nats of the standardised data; no entropy and no gap for a law of points; steps_error,
    mean and max of how far off an integrator of finite steps makes each log-density); modes
    (weights, fractions, z, covered) where the law has modes; score (t, std, relative error) by level, where
    the model has a score.
    Raises ValueError for n < 2, for a control of a model without a denoiser, and where exact samples do not
    differ: one point, or identical ones.
    """
    if n < 2:
        raise ValueError(f"n is {n}; it must be >= 2")
    has_score = hasattr(model, "denoiser")
    if control and not has_score:
        raise ValueError("control is True; it needs a model that samples with a denoiser, which this has not")
    level = model.levels.level(1) if getattr(model, "of_noisy_data", False) else (1.0, 0.0)
    truth = law.diffused(*level) if level[1] else law
    report: dict[str, Any] = {"n": n, "directions": n_directions, "noise": level[1]}
    say("sampling floor")
    lines = directions(law.dim, n_directions, rng.spawn("directions"))
    floor = sampling_floor(truth, n, lines, rng.spawn("floor"))
    if floor.max == 0:
        raise ValueError(
            f"{n} exact samples do not differ (one point, or identical ones): the sampling floor is 0, and "
            "nothing can be measured in multiples of it"
        )
    report["floor"] = {"max": floor.max, "mean": floor.mean}
    fresh = truth.sample(rng.spawn("fresh"), n)

    def distance(points: Any, bound: float) -> dict[str, float]:
        value = sliced_wasserstein(fresh, points, lines)
        return {"distance": value, "times_floor": value / floor.max, "bound": bound}

    say("samples of the model")
    data = law.sample(rng.spawn("variance"), 2000)  # for a variance that is estimated
    began = time.perf_counter()
    points = to_host(model.sample(params, n, rng.spawn("samples"), x_0=data))
    report |= {"calls": model.calls(), "seconds": time.perf_counter() - began}
    if not np.all(np.isfinite(points)):
        raise ValueError("the model's samples are not finite; it was not trained, or diverged")
    report["samples"] = distance(points, MODEL_BOUND)
    if law.modes is not None:
        report["modes"] = _modes(level[0] * law.modes[0], law.modes[1], points, to_host(fresh))
        # Points that were selected from others share their fate, and z says less than it seems to.
        report["modes"]["independent"] = not hasattr(model, "stages")
    if has_score and control is not False and _afforded(model, law, n, control, say):
        chain = model.sample(params, n, rng.spawn("control"), x_0=data, denoiser=ExactDenoiser(law))
        report["control"] = distance(chain, CONTROL_BOUND)
    if density and not getattr(model, "knows_density", True):
        say(f"no likelihood: its log Z takes a grid, which {model.dim} dimensions are too many for")
    elif density and hasattr(model, "log_prob"):
        kind = model.log_prob_is
        say("likelihood" if kind == "exact" else "bound on the likelihood")
        log_prob = model.log_prob(params, fresh, rng.spawn("bound"), x_0=data)
        report["nll"] = {"kind": kind, **_likelihood(truth, fresh, log_prob)}
        if hasattr(model, "log_prob_error"):  # of an integrator with finite steps
            errors = to_host(model.log_prob_error(params, fresh))
            report["nll"]["steps_error"] = {"mean": float(np.mean(errors)), "max": float(np.max(errors))}
    if has_score:
        say("score")
        report["score"] = _score_errors(model, params, law, rng, n)
    return report


def _afforded(
    model: Any, law: Distribution, n: int, control: bool | None, say: Callable[[str], None]
) -> bool:
    """Whether the control is run: if it is asked for, or cheap. Says what it sums."""
    terms, steps = control_terms(model, law, n), model.calls()
    size = f"{terms:.1e} terms: {steps:,} steps x {n:,} points x {terms // (steps * n):,} components"
    if control is None and terms > CONTROL_TERMS:
        say(f"no control, it would sum {size}; --control runs it, a smaller --n makes it cheap")
        return False
    say(f"control: the sampler with the exact denoiser, {size}")
    return True


def _modes(means: Any, weights: Any, points: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    """How the points are shared between the modes, and which modes they cover.

    Nearest is not near: a mode is covered where at least a quarter of its weight of points lie as near to it
    as 99 % of the exact ones.
    """
    found = mode_weights(points, means, weights)
    covered = []
    for mean, weight, nearest in zip(means, weights, _at_modes(exact, means), strict=True):
        if len(nearest) == 0:  # so light that no exact point has come there
            covered.append(False)
            continue
        radius = np.quantile(nearest, COVERED_REGION)
        near = np.mean(np.linalg.norm(points - mean, axis=1) <= radius)
        covered.append(bool(near >= COVERED_SHARE * COVERED_REGION * weight))
    return {
        "weights": weights.tolist(),
        "fractions": found.fractions.tolist(),
        "z": found.z.tolist(),
        "covered": covered,
    }


def _at_modes(points: np.ndarray, means: np.ndarray) -> list[np.ndarray]:
    """For each mode the distances to it of the points that are nearest to it."""
    distances = np.stack([np.linalg.norm(points - mean, axis=1) for mean in means])
    which = np.argmin(distances, axis=0)
    return [distances[k, which == k] for k in range(len(means))]


def _score_errors(model: Any, params: Any, law: Distribution, rng: Stream, n: int) -> list[dict[str, float]]:
    """The relative error of the score at a few levels, from noisy to clean."""
    denoiser, rows = model.denoiser(params), []
    for t in score_times(model.levels.T):
        signal, std = model.levels.level(t)
        relative = score_error(denoiser, law, signal, std, rng.spawn(f"score {t}"), n)
        rows.append({"t": t, "std": std, "relative_error": relative})
    if not np.all(np.isfinite([row["relative_error"] for row in rows])):
        raise ValueError(
            "the model's score is not finite where the data are; it was not trained, or diverged"
        )
    return rows


def _likelihood(law: Distribution, points: Any, log_prob: Any) -> dict[str, float | None]:
    """The negative log-likelihood of exact points, or its bound, and how far above the entropy it lies."""
    log_prob = to_host(log_prob)
    if law.entropy == -np.inf:  # a law of points has no density: there is no floor
        error = float(np.std(log_prob) / np.sqrt(len(points)))
        return {"bound": float(-np.mean(log_prob)), "entropy": None, "gap": None, "standard_error": error}
    # Entropy is minus the mean exact log-density: the difference point by point varies far less.
    gap = to_host(law.log_prob(points)) - log_prob
    mean, error = float(np.mean(gap)), float(np.std(gap) / np.sqrt(len(points)))
    return {"bound": law.entropy + mean, "entropy": law.entropy, "gap": mean, "standard_error": error}


def report_lines(report: dict[str, Any]) -> list[str]:
    """An evaluation as an aligned table for a terminal; what falls short of its bound is marked."""
    floor, noise = report["floor"], report["noise"]
    truth = f"the truth is the data under noise of std {noise:g}, the law that this model learns"
    lines = [
        *([truth, ""] if noise else []),
        f"sliced Wasserstein distance of {report['n']:,} points along {report['directions']} directions, and "
        f"in multiples of",
        f"its sampling floor, {floor['max']:.4f}, the largest of five distances of two exact samples",
        "",
        f"{'':<34}{'distance':>10}{'x floor':>10}{'bound':>8}",
        f"{'exact samples, mean of five':<34}{floor['mean']:>10.4f}{floor['mean'] / floor['max']:>10.2f}",
    ]
    for name, key in [("exact denoiser (control)", "control"), ("trained model", "samples")]:
        if key in report:
            row = report[key]
            short = "" if row["times_floor"] <= row["bound"] else "  falls short"
            distance = f"{row['distance']:>10.4f}{row['times_floor']:>10.2f}{row['bound']:>8.1f}"
            lines.append(f"{name:<34}{distance}{short}")
    if "nll" in report:
        nll = report["nll"]
        error = f" +- {nll['standard_error']:.4f}"
        exact = nll["kind"] == "exact"
        name = f"NLL ({'exact' if exact else 'upper bound'}), nats"
        lines += ["", f"{name:<34}{nll['bound']:>10.4f}{error if nll['gap'] is None else ''}"]
        if nll["gap"] is not None:
            of, what = ("noisy data" if noise else "data"), ("NLL" if exact else "bound")
            lines.append(f"{f'entropy of the {of}':<34}{nll['entropy']:>10.4f}")
            lines.append(f"{f'{what} minus entropy':<34}{nll['gap']:>10.4f}{error}")
        if "steps_error" in nll:
            off = nll["steps_error"]
            lines.append(f"{'error of its steps, mean':<34}{off['mean']:>10.1e}, largest {off['max']:.1e}")
    if "modes" in report:
        modes = report["modes"]
        lines += ["", f"{'mode':<6}{'weight':>8}{'found':>8}{'z':>8}"]
        for k, row in enumerate(zip(modes["weights"], modes["fractions"], modes["z"], strict=True), 1):
            far = "  off by more than chance" if modes["independent"] and abs(row[2]) > 4 else ""
            lines.append(f"{k:<6}{row[0]:>8.4f}{row[1]:>8.4f}{row[2]:>8.2f}{far}")
        lines.append(f"{sum(modes['covered'])} of {len(modes['covered'])} modes covered")
    calls = f"{report['calls']:,} evaluation{'s' * (report['calls'] != 1)} of the network a point"
    lines += ["", f"sampling: {calls}, {report['seconds']:.3g} s for {report['n']:,} points"]
    if "score" in report:
        lines += ["", f"{'t':>6}{'std':>8}{'score error':>13}   relative, weighted by the exact density"]
        lines += [f"{row['t']:>6}{row['std']:>8.3f}{row['relative_error']:>13.4f}" for row in report["score"]]
    return lines
