"""Boxes, clean and noisy, in any dimension."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from refgen.backend import Stream
from refgen.distributions import Boxes, Gaussian, named

LOW, HIGH = [[-2.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [2.0, 4.0]]


def test_weights_are_the_volumes_unless_given():
    assert_allclose(Boxes(LOW, HIGH).weights, [0.4, 0.6])
    assert Boxes(LOW, HIGH).entropy == pytest.approx(np.log(5))
    law = Boxes(LOW, HIGH, [1, 1])
    assert_allclose(np.exp(law.log_prob([[-1.0, 0.5], [1.5, 2.0], [0.5, 0.5]])), [0.25, 1 / 6, 0])
    assert law.entropy == pytest.approx(0.5 * np.log(4) + 0.5 * np.log(6))
    assert law.entropy_error == 0


def test_no_score_on_an_edge_or_outside():
    law = named("checkerboard")
    assert_allclose(law.score([[-3.0, -3.0], [1.0, 1.0]]), 0)
    for x in ([-4.0, -3.0], [-2.0, -3.0], [-1.0, -3.0], [9.0, 0.0]):
        with pytest.raises(ValueError, match="at std 0 a box has a score only inside"):
            law.score([[-3.0, -3.0], x])
    assert law.log_prob([[-1.0, -3.0]]) == -np.inf
    assert np.isfinite(law.diffused(1.0, 1e-3).score([[-2.0, -3.0]])).all()


def test_zero_density_means_zero_points():
    law = Boxes([[1.0, 0.0], [1e8, 0.0]], [[1.0 + 4e-16, 1.0], [1e8 + 3e-8, 1.0]], [1, 1])
    assert np.all(np.isfinite(law.log_prob(law.sample(Stream(0), 10_000))))


def test_noise_in_two_steps_is_noise_at_once():
    law = Boxes(LOW, HIGH, [1, 2])
    twice, once = law.diffused(0.8, 0.6).diffused(0.5, 0.7), law.diffused(0.4, np.hypot(0.3, 0.7))
    x = Stream(1).normal(10, 2)
    assert_allclose(twice.log_prob(x), once.log_prob(x), rtol=1e-13)
    noise = law.diffused(0.0, 1.5)
    assert_allclose(noise.log_prob(x), Gaussian([0, 0], 2.25).log_prob(x), rtol=1e-13)
    assert_allclose(noise.score(x), -x / 2.25, rtol=1e-12)


def test_denoiser_of_boxes_that_are_noisy_themselves():
    """x_0 = box + noise, seen through more noise, against sums over x_0."""
    law = Boxes(LOW, HIGH, [1, 2]).affine([0.5, 0.0], [1.0, 2.0]).diffused(1.0, 0.4)
    line = np.arange(-7, 7, 0.05)
    x_0 = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    log_prior = law.log_prob(x_0)
    for x in ([0.3, 0.2], [-2.0, 3.0]):
        log_joint = log_prior - ((x - 0.7 * x_0) ** 2).sum(1) / (2 * 0.25)
        p = np.exp(log_joint - log_joint.max())
        p /= p.sum()
        mean = p @ x_0
        assert_allclose(law.posterior_mean(x, 0.7, 0.5), mean, atol=1e-9)
        assert_allclose(
            law.posterior_cov(x, 0.7, 0.5), (x_0 - mean).T @ ((x_0 - mean) * p[:, None]), atol=1e-9
        )


@pytest.mark.parametrize("std", [1e-5, 1e-2, 1.0, 30.0])
def test_entropy_of_one_noisy_interval(std):
    law = Boxes([[0.0]], [[2.0]]).diffused(1.0, std)
    edges = np.concatenate(
        [e + std * np.linspace(-10, 10, 20_001) for e in (0.0, 2.0)] + [np.linspace(-1, 3, 2001)]
    )
    x = np.unique(edges)
    log_p = law.log_prob(x[:, None])
    assert law.entropy == pytest.approx(np.trapezoid(-np.exp(log_p) * log_p, x), abs=3e-6)


def test_entropy_in_two_dimensions_is_a_sum_for_a_product():
    one = Boxes([[0.0]], [[2.0]]).diffused(1.0, 0.3).entropy
    two = Boxes([[0.0]], [[1.0]]).diffused(1.0, 0.3).entropy
    law = Boxes([[0.0, 0.0]], [[2.0, 1.0]]).diffused(1.0, 0.3)
    assert law.entropy == pytest.approx(one + two, abs=1e-9)
    cube = Boxes([[0.0, 0.0, 0.0]], [[2.0, 1.0, 1.0]]).diffused(1.0, 0.3)
    assert abs(cube.entropy - one - 2 * two) < 4 * cube.entropy_error


@pytest.mark.parametrize("d", [1, 5])
def test_other_dimensions(d):
    law = Boxes(np.zeros((1, d)), np.ones((1, d)))
    x = law.sample(Stream(2), 2000)
    assert_allclose(x.mean(0), 0.5, atol=0.05)
    assert_allclose(law.log_prob(x), 0)
    noisy = law.diffused(0.8, 0.6)
    assert_allclose(0.8 * law.posterior_mean(x, 0.8, 0.6), x + 0.36 * noisy.score(x), atol=1e-12)
    assert_allclose(noisy.sample(Stream(3), 100_000).var(0), np.diag(noisy.cov), rtol=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.0, 0.0]], [[1.0]]), "both must be"),
        (([[0.0, 0.0]], [[1.0, 0.0]]), "low < high"),
        (([[0.0, 0.0], [0.5, 0.5]], [[1.0, 1.0], [2.0, 2.0]]), "overlap"),
        (([[0.0]], [[1.0]], [-1.0]), "weights"),
        (([[0.0]], [[1.0]], None, -0.5), "noise"),
        (([[0.0]], [[np.inf]]), "high holds a NaN or an infinity"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        Boxes(*arguments)
