"""Cards of fits to noisy points: least squares, at several levels of noise (DSM-10)."""

from __future__ import annotations

import numpy as np

from refgen.backend import Stream
from refgen.cards import equation, mutant, z_limit
from refgen.derivations import line
from refgen.formulas import denoising
from refgen.sources import SONG_NOTES

SWEET = SONG_NOTES("'Denoising Score Matching', the choice of the noise level")
TWO_MODES = line.Law(np.array([0.4, 0.6]), np.array([-1.2, 1.2]), np.array([0.5, 0.5]))
STDS = (0.03, 0.1, 0.2, 0.3, 0.5, 1.0)


@equation(
    "DSM-10/fits",
    title="that error, in fits to noisy points",
    formula=denoising.clean_error,
    latex=r"\hat\theta=-\frac{\sum_i\tilde x_i\,(x_i-\tilde x_i)/\sigma^2}{\sum_i\tilde x_i^2}",
    sources=[SWEET],
    evidence="monte carlo",
    how="z-scores of the mean error of 20,000 least-squares fits to 20 points each",
    cases=[dict(std=std, seed=seed) for std in (0.1, 0.5, 2.0) for seed in (0, 1)],
    relative=False,
    tolerance=z_limit(6),
    reject_at=10,
)
def fits_have_this_error(clean_error, std, seed, var=1.5, points=20, fits=20_000):
    rng = Stream(seed)
    x = np.sqrt(var) * rng.normal(fits, points)
    x_noisy = x + std * rng.normal(fits, points)
    theta = np.sum(x_noisy * (x_noisy - x), axis=1) / std**2 / np.sum(x_noisy**2, axis=1)
    errors = var * (theta - 1 / var) ** 2
    standard_error = np.std(errors) / np.sqrt(fits)
    return (clean_error(np.array(std), var, points) - np.mean(errors)) / standard_error, 0.0


@mutant("variance", of="DSM-10/fits", why="the variance left out: more noise would always be worse")
def error_without_variance(std, var, points):
    return std**4 / var / (var + std**2) ** 2


@equation(
    "DSM-10/features",
    title="a fit of radial features is best at a level in between",
    formula=denoising.kernel_score,
    latex=r"\sigma\mapsto E_p\lVert\hat s_\sigma-\nabla\log p\rVert^2\text{ is least inside }(0.03,1)",
    sources=[SWEET],
    evidence="oracle",
    how="ridge regression of 1000 targets on 25 features; its error against the clean score of a mixture",
    kind="claim",
    cases=[dict(seed=seed) for seed in range(3)],
    tolerance32=None,
)
def best_level_lies_inside(kernel_score, seed, points=1000):
    """The claim: the least error is neither the first nor the last, and both of those are twice as large."""
    rng, centres = Stream(seed), np.linspace(-4, 4, 25)
    features = lambda z: np.exp(-2 * (z[:, None] - centres) ** 2)  # noqa: E731
    at, mass = line.tabulated(TWO_MODES)
    clean = line.score(at, TWO_MODES)
    mode = (rng.uniform(points) > TWO_MODES.weights[0]).astype(int)
    x = TWO_MODES.means[mode] + TWO_MODES.stds[mode] * rng.normal(points)
    errors = []
    for std in STDS:
        x_noisy = x + std * rng.normal(points)
        f, y = features(x_noisy), kernel_score(x[:, None], x_noisy[:, None], std)[:, 0]
        theta = np.linalg.solve(f.T @ f + 1e-6 * points * np.eye(len(centres)), f.T @ y)
        errors.append(mass @ (features(at) @ theta - clean) ** 2)
    return min(errors[0], errors[-1]) > 2 * min(errors), True


@mutant("sign", of="DSM-10/features", why="the target turned round: the more noise, the less harm it does")
def target_with_the_sign(x, x_noisy, std):
    return (x_noisy - x) / std**2


@mutant("std", of="DSM-10/features", why="the displacement over std: at no level is the score the right one")
def target_over_std(x, x_noisy, std):
    return (x - x_noisy) / std
