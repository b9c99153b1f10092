"""Denoising score matching at several sizes of the noise."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import noise_size
from refgen.experiments.outcome import surprises
from refgen.formulas import denoising


@pytest.fixture(scope="module")
def found():
    return noise_size.variances((0.05, 0.0125), 20_000, Stream(0))


def test_variances_explode_as_their_formulas_say(found):
    stds = (0.05, 0.0125)
    assert noise_size.slope(stds, found.loss) == pytest.approx(-4, abs=0.15)
    assert noise_size.slope(stds, found.gradient) == pytest.approx(-2, abs=0.15)
    assert found.loss_limit == pytest.approx([1 / 0.05**4, 1 / 0.0125**4])
    # That many fourth powers of normals, and 2000 gradients in 28 directions.
    assert found.loss[1] / found.loss_limit[1] == pytest.approx(1, abs=0.06)
    assert found.gradient[1] / found.gradient_limit[1] == pytest.approx(1, abs=0.08)


def test_without_the_noise_in_the_target_nothing_explodes(monkeypatch):
    monkeypatch.setattr(denoising, "kernel_score", lambda x, x_noisy, std: 0 * x)
    monkeypatch.setattr(denoising, "denoising", lambda s, x, x_noisy, std: 0.5 * np.sum(s**2, axis=1))
    quiet = noise_size.variances((0.05, 0.0125), 2000, Stream(0))
    assert abs(noise_size.slope((0.05, 0.0125), quiet.loss)) < 0.2
    assert abs(noise_size.slope((0.05, 0.0125), quiet.gradient)) < 0.2


def test_the_bias_is_a_square_of_the_noise():
    low, high = noise_size.bias((0.02, 0.04))
    assert high / low == pytest.approx(16, rel=0.02)
    # For one Gaussian of variance v the score is wrong by x (1/v - 1/(v + std^2)).
    assert noise_size.bias((1e-6,))[0] < 1e-10


def test_the_error_is_least_in_between():
    error = np.mean(noise_size.errors((0.03, 0.25, 1.0), 2000, 3, Stream(1)), axis=0)
    assert error[0] > 4 * error[1] and error[2] > 4 * error[1]


def test_the_slope_of_an_exact_power():
    assert noise_size.slope((1, 2, 4), (3, 12, 48)) == pytest.approx(2)


@pytest.mark.slow
def test_every_claim_holds():
    assert not surprises(noise_size.run(Stream(0, "test"), lambda *_: None))
