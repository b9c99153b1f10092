"""How good a trained model is, against the exact law of its data: every number with its floor or its null."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from refgen.backend import Stream, to_host
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions.base import Distribution
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein

__all__ = ["CONTROL_BOUND", "MODEL_BOUND", "Sampling", "control_terms", "evaluate", "score_times"]

# What counts as good, in multiples of the largest distance that two exact samples have.
MODEL_BOUND, CONTROL_BOUND = 3.0, 1.5

# A mode is covered where at least this share of its points lie where this share of the exact ones do.
COVERED_SHARE, COVERED_REGION = 0.25, 0.99

CONTROL_TERMS = 3e10  # of the exact denoiser's sums, two minutes on one core; above, there is no control


def score_times(T: int) -> list[int]:
    """The times at which the score is compared, from noisy to clean, denser towards the data."""
    return sorted({max(1, round(T * share)) for share in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)})[::-1]


def control_terms(calls: int, law: Distribution, n: int) -> int:
    """How many terms the control sums: calls times points times components of the law (or points of it)."""
    return calls * n * len(getattr(law, "means", [0]))


class Sampling(Protocol):
    """Another way to draw from a model than its own.

    denoiser: the model's. draw: (denoiser, how many, stream) -> points. about: which sampler, with which
    levels and steps. independent: whether points know nothing of each other.
    """

    @property
    def denoiser(self) -> Any: ...
    @property
    def draw(self) -> Callable[[Any, int, Stream], Any]: ...
    @property
    def about(self) -> str: ...
    @property
    def independent(self) -> bool: ...


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
    by: Sampling | None = None,
    say: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Compare a trained model with the exact law of its (standardised) data; plain JSON.

    A model `of_noisy_data` is compared with that law under the noise of its one level. One without a
    `denoiser` has no score and no levels of noise: it has no control either. Nor has one that says so
    (`has_score`), a velocity of points and noise that depend on each other. The work is done where params
    are, which must be where rng draws.
    n: points in each sample. control: also run the sampler with the exact denoiser, which leaves the
    sampler's own error alone; None: unless it has more than 3e10 terms (`control_terms`). density: also the
    negative log-likelihood where the model has one, or its bound, minus the entropy. by: another sampler than
    the model's own, for samples and control. say: is told each stage as it begins.

    Keys: sampler; calls (evaluations of the network for a point) and seconds (for all n points, which vary
    from run to run); noise (std of what the model has learned along with the data, or 0); floor (sliced
    Wasserstein distance of two exact samples, max and mean over five draws); samples and control (distance,
    times_floor, bound); nll (kind, "exact" or "bound"; the value, named bound in either case; entropy, gap
    and its standard error, in nats of the standardised data; no entropy and no gap for a law of points;
    steps_error, mean and max of how far off an integrator of finite steps makes each log-density); modes
    (weights, fractions, z, covered) where the law has modes; score (t, std, relative error) by level, where
    the model has a score.
    Raises ValueError for n < 2, for a control of a model without a denoiser, and where exact samples do not
    differ: one point, or identical ones.
    """
    if n < 2:
        raise ValueError(f"n is {n}; it must be >= 2")
    has_score = hasattr(model, "denoiser") and getattr(model, "has_score", True)
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

    def own(denoiser: Any, n: int, stream: Stream) -> Any:
        return model.sample(params, n, stream, x_0=data, denoiser=denoiser)

    draw = by.draw if by else own
    asked = counted(by.denoiser) if by and by.denoiser else None
    began = time.perf_counter()
    points = to_host(draw(asked, n, rng.spawn("samples")))
    seconds, calls = time.perf_counter() - began, asked.calls if asked else model.calls()
    report |= {"sampler": by.about if by else "the model's own sampler", "calls": calls, "seconds": seconds}
    if not np.all(np.isfinite(points)):
        raise ValueError("the model's samples are not finite; it was not trained, or diverged")
    report["samples"] = distance(points, MODEL_BOUND)
    if law.modes is not None:
        report["modes"] = _modes(level[0] * law.modes[0], law.modes[1], points, to_host(fresh))
        # Points that were selected from others share their fate, and z says less than it seems to.
        report["modes"]["independent"] = by.independent if by else not hasattr(model, "stages")
    if has_score and control is not False and _afforded(calls, law, n, control, say):
        report["control"] = distance(draw(ExactDenoiser(law), n, rng.spawn("control")), CONTROL_BOUND)
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
    calls: int, law: Distribution, n: int, control: bool | None, say: Callable[[str], None]
) -> bool:
    """Whether the control is run: if it is asked for, or cheap. Says what it sums."""
    terms = control_terms(calls, law, n)
    size = f"{terms:.1e} terms: {calls:,} calls x {n:,} points x {terms // (calls * n):,} components"
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
