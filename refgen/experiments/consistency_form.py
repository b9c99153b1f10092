"""What the misprint of the consistency form costs (ERR-3), in numbers that hold or do not.

The form is printed with a KL divergence averaged over (x_{t-1}, x_{t+1}), as if x_t and x_{t+1} were
independent given x_{t-1}. On chains whose ELBO is known exactly, this says how far it is off, why, and what a
model trained on it would learn; and it reports the variances of two one-sample estimators [DELBO-8].
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from refgen import schedules
from refgen.derivations import chain as chain_cards
from refgen.derivations import chain_elbo as chain_elbo_cards
from refgen.derivations import gaussian_chain as gaussian_cards
from refgen.formulas import chain, elbo, forward, gaussian, gaussian_chain
from refgen.formulas.posterior import posterior_mean, posterior_var

__all__ = ["Number", "estimator_variances", "lines", "numbers", "perfect_model"]

ALPHA = np.array([0.9, 0.8, 0.7])
STAY = (0.9, 0.8, 0.7)


class Number(NamedTuple):
    """One measured number and the one it must equal, to within `within`; `holds` says whether it does."""

    what: str
    measured: float
    expected: float
    within: float = 1e-9

    @property
    def holds(self) -> bool:
        return bool(abs(self.measured - self.expected) <= self.within * max(1.0, abs(self.expected)))


def perfect_model(alpha: np.ndarray, x_0: float = 1.0) -> dict[str, np.ndarray]:
    """A linear-Gaussian chain and its exact reverse for data N(0, 1): its ELBO is log p(x_0) itself.

    alpha: (T,). Returns the arguments of the functions of `formulas.gaussian_chain`.
    """
    slope, var = forward.step_mean(np.ones_like(alpha), alpha), forward.step_var(alpha)
    return dict(x_0=np.array([x_0]), alpha=alpha, slope=slope, offset=0 * alpha, var=var)


def excess(alpha: np.ndarray, slope: np.ndarray, var: np.ndarray, **_: Any) -> float:
    """By how many nats a coordinate the printed form is below the ELBO, in closed form.

    Each term is too large by slope_{t+1} Cov(x_t, x_{t+1} | x_{t-1}) / var_{t+1}, and that covariance is
    sqrt(alpha_{t+1}) beta_t.
    """
    return float(np.sum(slope[1:] * np.sqrt(alpha[1:]) * (1 - alpha[:-1]) / var[1:]))


def _gaussian_numbers() -> list[Number]:
    model, log_p = perfect_model(ALPHA), float(gaussian.log_prob_isotropic(np.ones(1), np.zeros(1), 1.0))
    printed = float(gaussian_cards.consistency_elbo_with_kl(**model))
    linear = perfect_model(schedules.linear(1000).alpha[1:])
    lost = gaussian_chain.consistency_elbo(**linear) - gaussian_cards.consistency_elbo_with_kl(**linear)
    return [
        Number("the ELBO, from the joint Gaussians", gaussian_cards.elbo_of_joints(**model)[0], log_p),
        Number("denoising form", float(gaussian_chain.denoising_elbo(**model)), log_p),
        Number("consistency form, mended", float(gaussian_chain.consistency_elbo(**model)), log_p),
        Number("consistency form, as printed", printed, log_p - excess(**model)),
        Number(
            "what the printed form lacks, linear T = 1000", float(np.squeeze(lost)), excess(**linear), 1e-8
        ),
    ]


def _discrete_numbers() -> list[Number]:
    tables = np.array([[[p, 1 - p], [1 - p, p]] for p in STAY])
    model: dict[str, Any] = dict(forward=tables, reverse=tables, prior=np.array([0.5, 0.5]), x_0=0)
    log_p = float(np.log(0.5))
    # Drawn apart from x_{t+1}, x_t agrees with it less often, by 2 p (1 - p) (2 r - 1) in probability.
    lacks = sum(2 * p * (1 - p) * (2 * r - 1) * np.log(r / (1 - r)) for p, r in pairwise(STAY))
    return [
        Number("the ELBO, over all 8 paths", float(chain_cards.elbo_over_paths(**model)[0]), log_p),
        Number("denoising form", float(chain.denoising_elbo(**model)), log_p),
        Number("consistency form, mended", float(chain.consistency_elbo(**model)), log_p),
        Number(
            "consistency form, as printed",
            float(chain_elbo_cards.consistency_elbo_with_kl(**model)),
            log_p - lacks,
        ),
    ]


def _best_slope(form: Any, alpha: np.ndarray) -> float:
    """The slope of p(x_1 | x_2) that a form of the ELBO likes best, for T = 2 and data N(0, 1)."""

    def loss(slope: float) -> float:
        model = perfect_model(alpha)
        model["slope"] = np.array([model["slope"][0], slope])
        # The ELBO is quadratic in x_0 and the model has no offset, so x_0 = 1 is the mean over N(0, 1).
        return -float(form(**model))

    return float(minimize_scalar(loss, bounds=(0.0, 1.5), method="bounded", options=dict(xatol=1e-9)).x)


def _minimiser_numbers() -> list[Number]:
    alpha = np.array([0.9, 0.7])
    right, wrong = float(np.sqrt(alpha[1])), float(alpha[0] * np.sqrt(alpha[1]))
    model = perfect_model(alpha)
    best = gaussian_chain.denoising_elbo(**model)
    misled = gaussian_chain.denoising_elbo(**(model | dict(slope=np.array([model["slope"][0], wrong]))))
    # The mean of x_2^2 is 1, so the slopes differ as two means do.
    cost = float(gaussian.kl_same_var(np.array([right]), np.array([wrong]), forward.step_var(alpha[1])))
    return [
        Number(
            "slope that maximises the mended form",
            _best_slope(gaussian_chain.consistency_elbo, alpha),
            right,
            1e-6,
        ),
        Number(
            "slope that maximises the printed form",
            _best_slope(gaussian_cards.consistency_elbo_with_kl, alpha),
            wrong,
            1e-6,
        ),
        Number("nats of ELBO that the printed slope costs", float(best - misled), cost),
    ]


def numbers() -> dict[str, list[Number]]:
    """All numbers, by the chain they belong to."""
    return {
        "A perfect model of N(0, 1), alpha = 0.9, 0.8, 0.7; at x_0 = 1, in nats": _gaussian_numbers(),
        "A perfect model of two states that stay with 0.9, 0.8, 0.7; in nats": _discrete_numbers(),
        "What would be learned: T = 2, data N(0, 1), alpha = 0.9, 0.7": _minimiser_numbers(),
    }


def _variance(function: Any, mean: np.ndarray, cov: np.ndarray) -> float:
    """Exact variance of a quadratic function of a Gaussian vector, from its values at a few points."""
    T = len(mean)
    e = np.eye(T)
    f0 = function(mean)
    gradient = np.array([function(mean + v) - function(mean - v) for v in e]) / 2
    hessian = np.array(
        [[function(mean + u + v) - function(mean + u) - function(mean + v) + f0 for v in e] for u in e]
    )
    return float(0.5 * np.trace(hessian @ cov @ hessian @ cov) + gradient @ cov @ gradient)


def estimator_variances(
    alpha: np.ndarray, slope: np.ndarray, offset: np.ndarray, var: np.ndarray, x_0: np.ndarray
) -> tuple[float, float]:
    """Exact variances, over one path from q, of the two one-sample estimators of minus the ELBO.

    First the log-ratio of the path, which is what the consistency form averages; then the denoising form, its
    divergences in closed form at the path's x_t. One dimension, arguments as in `formulas.gaussian_chain`.
    """
    T, start = len(alpha), float(x_0[0])
    alpha_bar = np.concatenate([[1.0], forward.alpha_bar(1 - alpha, np.log(alpha))])
    mean, cov = gaussian_cards.joint_of_process(start, alpha)

    def log_normal(x: float, mean: float, var: float) -> float:
        return float(gaussian.log_prob_isotropic(np.array([x]), np.array([mean]), float(var)))

    def reverse_log(path: np.ndarray, t: int) -> float:
        return log_normal(path[t - 1], slope[t - 1] * path[t] + offset[t - 1], var[t - 1])

    def forward_log(path: np.ndarray, t: int) -> float:
        a = float(alpha[t - 1])
        return log_normal(path[t], forward.step_mean(path[t - 1], a), forward.step_var(a))

    def log_ratio(latent: np.ndarray) -> float:
        path = np.concatenate([[start], latent])
        steps = sum(forward_log(path, t) - reverse_log(path, t) for t in range(1, T + 1))
        return steps - log_normal(path[T], 0.0, 1.0)

    def denoising(latent: np.ndarray) -> float:
        path = np.concatenate([[start], latent])
        total = float(elbo.l_T(x_0, alpha_bar[T])) - reverse_log(path, 1)
        for t in range(2, T + 1):
            step = alpha[t - 1], alpha_bar[t - 1]
            exact = posterior_mean(path[t : t + 1], x_0, *step), posterior_var(*step)
            model = slope[t - 1] * path[t : t + 1] + offset[t - 1], var[t - 1]
            total += float(gaussian.kl_diagonal(*exact, *model))
        return total

    return _variance(log_ratio, mean[1:], cov[1:, 1:]), _variance(denoising, mean[1:], cov[1:, 1:])


def lines() -> list[str]:
    """The numbers as text, 100 columns wide."""
    text = ["What the misprint costs, measured"]
    for title, found in numbers().items():
        text += ["", f"  {title}"]
        for n in found:
            mark = "holds" if n.holds else "FAILS"
            text.append(f"    {n.what:<46}{n.measured:>14.6f}   exact {n.expected:>14.6f}   {mark}")
    text += ["", "  Variance of one path's estimate of the ELBO (reported; neither is always the smaller)"]
    model = perfect_model(ALPHA)
    for what, change in (
        ("perfect model: the log-ratio is constant", {}),
        ("its slopes times 0.9", dict(slope=0.9 * model["slope"])),
        ("its variances times 2", dict(var=2 * model["var"])),
        ("its slopes set to 0", dict(slope=0 * model["slope"])),
    ):
        ratio, denoising = estimator_variances(**(model | change))
        text.append(f"    {what:<46}log-ratio {ratio:>8.4f}   denoising {denoising:>8.4f}")
    return text
