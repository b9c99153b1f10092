"""Cards of the mixture, of which score and energy are known (EBM-11, EBM-12)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import mixtures, points, reals, rungs, together
from refgen.derivations.fields import (
    blobs,
    density,
    energy_of,
    gradient,
    log_density,
)
from refgen.formulas import energy, mixture
from refgen.sources import CS167, KIM, SJTU, SONG_KINGMA_2021, SONG_NOTES

SLIDE = KIM("'Score-based Generative Model'")
FUNCTIONS = SONG_NOTES("'Score functions'")


# ---- EBM-11: the mixture, of which everything is known
@equation(
    "EBM-11",
    title="the score of a mixture of Gaussians",
    formula=mixture.score,
    latex=r"\nabla\log\sum_kw_kN_k=\sum_kr_k(x)\big(-\Sigma_k^{-1}(x-m_k)\big)",
    sources=[FUNCTIONS, CS167("'Score-based models'"), SLIDE],
    evidence="autodiff",
    how="complex steps through the log-density, by the determinants and inverses of the covariances",
    given=rungs(lambda d: together(x=points(d, -30, 30), law=mixtures(d, 2)), 1, 2, 3),
    tolerance=1e-10,
)
def score_of_a_mixture(score, x, law):
    weights, means, covs = law["weights"], law["means"], law["covs"]
    inverses, log_dets = np.linalg.inv(covs), np.linalg.slogdet(2 * np.pi * covs)[1]

    def log_p(z):
        away = z - means
        logs = np.log(weights) - 0.5 * (log_dets + np.sum((away[:, None] @ inverses)[:, 0] * away, axis=1))
        largest = np.max(logs.real)
        return largest + np.log(np.sum(np.exp(logs - largest)))

    slopes = abs((x - means)[:, None] @ inverses)
    condition = max(np.linalg.cond(c) for c in covs)
    scale = 1 + condition * np.sum(slopes) * (1 + np.ptp(np.sum(slopes, axis=(1, 2))))
    return score(x, weights, means, covs), gradient(log_p, x), scale


@mutant("weights", of="EBM-11", why="the prior weights for the responsibilities: the same mean everywhere")
def score_by_prior_weights(x, weights, means, covs):
    return sum(w * np.linalg.solve(c, m - x) for w, m, c in zip(weights, means, covs, strict=True))


@mutant("equal", of="EBM-11", why="responsibilities that do not know the weights")
def score_with_equal_weights(x, weights, means, covs):
    return mixture.score(x, np.ones_like(weights) / len(weights), means, covs)


@equation(
    "EBM-11/far",
    title="the same for modes twenty standard deviations apart, of unequal weight",
    formula=mixture.score,
    latex=r"r_k(x)=\frac{w_kN_k(x)}{\sum_lw_lN_l(x)}",
    sources=[FUNCTIONS],
    evidence="algebra",
    how="two round Gaussians: responsibilities by a hyperbolic tangent of the distance to the border",
    given=rungs(lambda d: together(x=points(d, -12, 12), weight=reals(0.01, 0.99), half=reals(0, 10)), 1, 2),
    tolerance=1e-12,
)
def score_between_two_modes(score, x, weight, half):
    means = np.zeros((2, len(x)))
    means[:, 0] = half, -half
    weights = np.array([weight, 1 - weight])
    lean = np.tanh(half * x[0] + 0.5 * np.log(weight / (1 - weight)))
    derived = -x + means[0] * lean
    steep = half * (1 + half * abs(x[0]))  # how far rounding in the exponent moves the result
    return score(x, weights, means, np.stack([np.eye(len(x))] * 2)), derived, 1 + abs(x) + steep


@mutant("nearest", of="EBM-11/far", why="only the nearest mode pulls, whatever its weight")
def score_of_the_nearest_mode(x, weights, means, covs):
    return means[np.argmin(np.sum((x - means) ** 2, axis=-1))] - x


# ---- EBM-12: likely points have low energy
@equation(
    "EBM-12",
    title="the likelier point has the lower energy",
    formula=energy.likelier,
    kind="claim",
    latex=r"p(a)>p(b)\iff E(a)<E(b),\qquad p=e^{-E}/Z",
    sources=[SLIDE, SJTU("'Score-based'"), SONG_NOTES("'Results: sliced score matching for energies'")],
    evidence="oracle",
    how="the densities of a mixture at both points, and its energy up to a constant",
    given=rungs(lambda d: together(law=blobs(d), a=points(d), b=points(d), constant=reals()), 1, 2, 3),
)
def low_energy_is_likely(likelier, law, a, b, constant):
    p = density(np.stack([a, b]), law)
    if abs(p[0] - p[1]) <= 1e-4 * np.sum(p):  # float32 may call it either way
        return 0.0, 0.0
    e = energy_of(law, constant)(np.stack([a, b]))
    return float(likelier(e[:1], e[1:])[0]), float(p[0] > p[1])


@misprint(
    "ERR-49",
    of="EBM-12",
    printed=r"\text{less energy }f_\theta\text{ to likely points, with }p_\theta=e^{f_\theta}/Z",
    correct=r"\text{less energy }E=-f_\theta\text{ to likely points}",
    source=SONG_NOTES("'Results: sliced score matching for energies'"),
    why="in the convention p = exp(f) / Z, f is minus the energy, and likely points have more of it",
)
def likelier_by_less_f(energy_a, energy_b):
    return -energy_a < -energy_b


@equation(
    "EBM-12/ratio",
    title="energies are log-densities turned over: their difference is a log-ratio",
    formula=energy.log_prob,
    latex=r"\log\frac{p(a)}{p(b)}=E(b)-E(a)",
    sources=[SLIDE, SONG_KINGMA_2021()],
    evidence="oracle",
    how="the log-density of a mixture, from an energy that is off by a known constant",
    given=rungs(lambda d: together(law=blobs(d), x=points(d), constant=reals()), 1, 2, 3),
    tolerance=1e-12,
)
def log_density_of_an_energy(log_prob, law, x, constant):
    x = x[None]
    derived = log_density(x, law)
    return log_prob(energy_of(law, constant)(x), -constant), derived, 1 + abs(derived) + abs(constant)


@mutant("sign", of="EBM-12/ratio", why="the energy for the log-density: outliers likeliest")
def ratio_upside_down(energy, log_z):
    return energy + log_z
