"""The error of the three objectives in the clean score."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import score_error
from refgen.experiments.outcome import surprises


@pytest.fixture(scope="module")
def errors():
    return score_error.closed_form(4000, 3, Stream(0), {"one": (1, "gaussian"), "ten": (10, "gaussian")})


def test_sliced_is_near_and_denoising_is_farther_off(errors):
    mean = {label: np.mean(values) for label, values in errors.items()}
    assert 0.02 < mean["SM"] < 0.1  # a score of zero is 2.34 off
    assert mean["SM"] < mean["one"] < 3 * mean["SM"]
    assert mean["ten"] < 1.4 * mean["SM"] and mean["ten"] < mean["one"]
    assert mean[score_error.best_denoising(errors)] > 1.5 * mean["SM"]


def test_the_best_noise_is_the_one_of_least_mean_error():
    errors = {"SM": np.zeros(2), "DSM 0.1": np.array([1.0, 5.0]), "DSM 0.2": np.array([2.0, 2.0])}
    assert score_error.best_denoising(errors) == "DSM 0.2"


@pytest.mark.parametrize("objective", ["implicit", "sliced"])
def test_a_network_comes_near(objective):
    assert score_error.network_error(objective, 0.01, Stream(0), steps=1) > 2
    assert score_error.network_error(objective, 0.01, Stream(0), steps=150, batch=64) < 0.3


def test_much_noise_leaves_a_bias_in_the_network():
    assert 0.2 < score_error.network_error("denoising", 0.5, Stream(0), steps=300) < 0.6


@pytest.mark.slow
def test_every_claim_holds():
    assert not surprises(score_error.run(Stream(0, "test"), lambda *_: None))
