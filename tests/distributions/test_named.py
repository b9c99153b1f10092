"""Every named distribution against the same table of checks: it is what it says, clean and noisy."""

from functools import lru_cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import ndtr

from refgen.backend import Stream
from refgen.distributions import DESCRIPTIONS, NAMES, named

LEVELS = [(1.0, 0.0), (0.8, 0.6), (0.02, 1.0)]
CASES = [(name, level) for name in NAMES for level in LEVELS]
ENTROPIES = {"ring": 2.8319, "checkerboard": np.log(32)}  # measured elsewhere; area 32


def at(name, level):
    return named(name) if level == (1.0, 0.0) else named(name).diffused(*level)


def grid(law, step):
    """A square grid over all of the law but 1e-14, and its cell; no point on an edge of the checkerboard."""
    reach = 8 * np.sqrt(np.diag(law.cov)) + 1
    axes = [np.arange(m - r, m + r, step) + step * 0.3137 for m, r in zip(law.mean, reach, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1), step**2


@pytest.mark.parametrize(("name", "level"), CASES)
def test_density_integrates_to_one_and_has_the_stated_moments_and_entropy(name, level):
    law = at(name, level)
    if name == "checkerboard" and level[1] == 0:
        line = np.arange(-5, 5, 0.05) + 0.025
        x, cell = np.stack(np.meshgrid(line, line, indexing="ij"), -1), 0.05**2
    else:
        narrowest = np.sqrt(law.covs.min() if name != "gaussian" else 0.2) if hasattr(law, "covs") else 0.5
        x, cell = grid(law, max(0.045, narrowest / 1.5))
    x = x.reshape(-1, 2)
    log_p = law.log_prob(x)
    p = np.exp(log_p) * cell
    assert p.sum() == pytest.approx(1, abs=1e-7)
    assert_allclose(p @ x, law.mean, atol=1e-6)
    rough = 1e-3 if name == "checkerboard" else 1e-5  # midpoints of a uniform density: error of order step^2
    assert_allclose((x - law.mean).T @ ((x - law.mean) * p[:, None]), law.cov, atol=rough)
    assert -p @ np.maximum(log_p, -1e9) == pytest.approx(law.entropy, abs=2e-6)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_score_is_the_gradient_of_log_prob(name, level):
    law = at(name, level)
    x = law.sample(Stream(1), 40)
    if name == "checkerboard" and level[1] == 0:
        assert_allclose(law.score(x), 0)
        return
    h = 1e-5
    steps = h * np.eye(2)
    differences = [(law.log_prob(x + e) - law.log_prob(x - e)) / (2 * h) for e in steps]
    assert_allclose(law.score(x), np.stack(differences, 1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [(0.9, 0.3), (0.8, 0.6), (0.02, 1.0), (1.0, 20.0)])
def test_denoiser_obeys_tweedie(name, level):
    """E[x_0 | x_t] and Cov[x_0 | x_t] by the score of the noisy law and its differences."""
    law, (signal, std) = named(name), level
    noisy = law.diffused(*level)
    x = noisy.sample(Stream(2), 20)
    assert_allclose(
        signal * law.posterior_mean(x, *level), x + std**2 * noisy.score(x), atol=1e-10 * (1 + std**2)
    )
    h = 1e-5 * std
    columns = [(noisy.score(x + e) - noisy.score(x - e)) / (2 * h) for e in h * np.eye(2)]
    expected = std**2 * (np.eye(2) + std**2 * np.stack(columns, 2))
    assert_allclose(signal**2 * law.posterior_cov(x, *level), expected, atol=1e-7 * std**2)


@pytest.mark.parametrize("name", NAMES)
def test_denoiser_is_an_integral_over_x_0(name):
    law, (signal, std) = named(name), (0.7, 0.5)
    x_t = law.diffused(signal, std).sample(Stream(3), 3)
    # Midpoints of cells that no edge of the checkerboard cuts; the error is of order step^2 only there.
    line = np.arange(-4, 4, 0.02) + 0.01 if name == "checkerboard" else np.arange(-9, 11, 0.06)
    x_0 = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    log_prior = law.log_prob(x_0)
    tolerance = 2e-4 if name == "checkerboard" else 1e-6
    for x, mean, cov in zip(
        x_t, law.posterior_mean(x_t, signal, std), law.posterior_cov(x_t, signal, std), strict=True
    ):
        log_joint = log_prior - ((x - signal * x_0) ** 2).sum(1) / (2 * std**2)
        p = np.exp(log_joint - log_joint.max())
        p /= p.sum()
        assert_allclose(p @ x_0, mean, atol=tolerance)
        assert_allclose((x_0 - mean).T @ ((x_0 - mean) * p[:, None]), cov, atol=tolerance * 3)


@lru_cache
def fine_grid(law):
    """Points (n, 2) and the density there."""
    line = np.arange(-8, 8, 0.06)
    x = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    return x, np.exp(law.log_prob(x))


def projected_cdf(law, direction):
    """The CDF of direction . x: of a mixture, in closed form; of boxes, summed over a fine grid."""
    if hasattr(law, "means"):
        covs = law.covs if law.covs.ndim == 3 else np.diag(law.covs)
        means, stds = law.means @ direction, np.sqrt(direction @ covs @ direction)
        return lambda s: ndtr((s[:, None] - means) / stds) @ law.weights
    x, density = fine_grid(law)
    order = np.argsort(x @ direction)
    position, p = (x @ direction)[order], density[order]
    return lambda s: np.interp(s, position, np.cumsum(p) / p.sum())


def projected_p_values(law, samples):
    """Kolmogorov-Smirnov p-values of four projections of the samples."""
    directions = [np.array([np.cos(angle), np.sin(angle)]) for angle in (0.1, 0.7, 1.5, 2.5)]
    return np.array([stats.kstest(samples @ u, projected_cdf(law, u)).pvalue for u in directions])


@pytest.mark.parametrize(("name", "level"), [(n, level) for n, level in CASES if level != (0.02, 1.0)])
def test_samples_have_the_law(name, level):
    """Kolmogorov-Smirnov on four projections: the right law passes, one 12 % too wide is found out."""
    law = at(name, level)
    samples = law.sample(Stream(4), 5000)
    assert projected_p_values(law, samples).min() > 1e-4
    wide = law.mean + 1.12 * (samples - law.mean)
    assert projected_p_values(law, wide).min() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_generators_draw_from_the_stream_alone(name):
    law = named(name)
    first, second = law.sample(Stream(5), 50), law.sample(Stream(5), 50)
    np.random.seed(0)  # noqa: NPY002  the global state must not matter
    assert np.array_equal(first, law.sample(Stream(5), 50))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, law.sample(Stream(6), 50))
    assert first.dtype == np.float64
    assert law.sample(Stream(5), 0).shape == (0, 2)


@pytest.mark.parametrize("name", NAMES)
def test_size_is_comparable(name):
    assert np.all(np.sqrt(np.diag(named(name).cov)) < 5)
    assert np.all(np.sqrt(np.diag(named(name).cov)) > 0.5)


@pytest.mark.parametrize(("name", "value"), ENTROPIES.items())
def test_known_entropies(name, value):
    assert named(name).entropy == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_standardised_is_exact_and_comes_back(name):
    law = named(name)
    standard, shift, scale = law.standardised()
    assert_allclose(standard.mean, 0, atol=1e-14)
    assert_allclose(np.diag(standard.cov), 1, rtol=1e-13)
    assert standard.entropy == pytest.approx(law.entropy - np.log(scale).sum(), abs=2e-6)
    x = law.sample(Stream(7), 30)
    assert_allclose(standard.log_prob((x - shift) / scale), law.log_prob(x) + np.log(scale).sum(), atol=1e-10)
    assert_allclose(standard.sample(Stream(7), 30) * scale + shift, x, atol=1e-12)
    twice = standard.affine(-shift / scale, 1 / scale)
    assert_allclose(twice.log_prob(x), law.log_prob(x), atol=1e-9)
    noisy, expected = standard.diffused(0.8, 0.6), law.diffused(0.8, 0.6)
    assert_allclose(noisy.cov, 0.64 * standard.cov + 0.36 * np.eye(2), atol=1e-12)
    assert_allclose(expected.cov, 0.64 * law.cov + 0.36 * np.eye(2), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("std", [1e-4, 0.5, 80.0])
def test_far_away_and_tiny_noise_are_finite(name, std):
    law = named(name)
    x = 1e3 * np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0], [1e-3, 2e-3]])
    noisy = law.diffused(1.0, std)
    for value in (
        noisy.log_prob(x),
        noisy.score(x),
        law.posterior_mean(x, 1.0, std),
        law.posterior_cov(x, 1.0, std),
    ):
        assert np.all(np.isfinite(value))
    assert_allclose(
        law.posterior_mean(x, 1.0, std), x + std**2 * noisy.score(x), rtol=1e-6, atol=1e-6 * (1 + std)
    )


@pytest.mark.parametrize("name", NAMES)
def test_precision_and_shape_follow_the_points(name):
    law = named(name).diffused(0.8, 0.6)
    x = law.sample(Stream(8), 12)
    narrow = x.astype(np.float32)
    assert law.log_prob(narrow).dtype == law.score(narrow).dtype == np.float32
    assert law.posterior_mean(narrow, np.float64(0.8), np.float64(0.6)).dtype == np.float32
    assert_allclose(law.score(narrow), law.score(x), rtol=1e-3, atol=1e-3)
    assert law.posterior_cov(narrow, 0.8, 0.6).dtype == np.float32
    assert law.log_prob(x.reshape(3, 4, 2)).shape == (3, 4)
    assert law.log_prob(x[:0]).shape == (0,)
    assert law.score(x[:0]).shape == (0, 2)
    assert law.posterior_mean(x[:0], 0.8, 0.6).shape == (0, 2)
    assert law.posterior_cov(x[:0], 0.8, 0.6).shape == (0, 2, 2)
    with pytest.raises(ValueError, match=r"x has shape \(12, 3\); its last axis must be .* 2"):
        law.score(np.zeros((12, 3)))


@pytest.mark.parametrize("name", NAMES)
def test_a_level_for_each_point(name):
    law = named(name)
    x = law.sample(Stream(9), 9)
    signal = np.array([1.0, 0.8, 0.0] * 3)[:, None]
    std = np.array([0.0, 0.6, 1.0] * 3)[:, None]
    mean, cov = law.posterior_mean(x, signal, std), law.posterior_cov(x, signal, std)
    for i in range(9):
        level = float(signal[i, 0]), float(std[i, 0])
        assert_allclose(mean[i], law.posterior_mean(x[i], *level), atol=1e-12)
        assert_allclose(cov[i], law.posterior_cov(x[i], *level), atol=1e-12)
    assert_allclose(mean[0], x[0])  # clean: x_0 is x_t
    assert_allclose(mean[2], law.mean, atol=1e-12)  # pure noise: the prior
    assert_allclose(cov[2], law.cov, atol=1e-12)
    assert law.posterior_mean(x[:0], signal[:0], std[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match="must be numbers or columns"):
        law.posterior_mean(x, signal[:4], std[:4])


def test_the_checkerboard_leaves_the_light_squares_empty():
    x = named("checkerboard").sample(Stream(10), 100_000)
    cells = np.floor((x + 4) / 2).astype(int)
    assert cells.min() == 0
    assert cells.max() == 3
    assert np.all(cells.sum(1) % 2 == 0)
    assert np.all(np.isfinite(named("checkerboard").log_prob(x)))


def test_modes_only_where_they_are_apart():
    assert {name for name in NAMES if named(name).modes is not None} == {"two_gaussians", "ring", "grid"}
    means, weights = named("two_gaussians").modes
    assert_allclose(means, [[5, 5], [-5, -5]])
    assert_allclose(weights, [0.8, 0.2])
    assert named("ring").diffused(0.8, 0.6).modes is None


def test_names():
    assert set(NAMES) == set(DESCRIPTIONS)
    assert len(NAMES) == 10
    assert named("ring") is named("ring")
    with pytest.raises(ValueError, match='no data set "moon"; did you mean moons'):
        named("moon")
    with pytest.raises(ValueError, match="there are gaussian, "):
        named("zzz")
