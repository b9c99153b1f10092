"""What the samplers of one level must do where no gap holds them up: find the law of two modes that touch."""

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import GaussianMixture
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from tests.samplers.test_langevin import levels

__all__ = ["check_joined_modes"]

LAW = GaussianMixture([[-0.8, 0.0], [0.8, 0.4]], [0.3 * np.eye(2)] * 2, [0.7, 0.3])


def check_joined_modes(sampler, n=4000, std=0.5, **options):
    """Its points are as near to exact ones as these are to each other, and those of the start are not."""
    rng, noisy = Stream(7), LAW.diffused(1.0, std)
    x_T = 1.5 * rng.normal(n, 2)
    x = sampler(ExactDenoiser(LAW), levels(std), x_T, rng, denoise=False, **options)
    lines = directions(2, 64, rng.spawn("lines"))
    floor = sampling_floor(noisy, n, lines, rng.spawn("floor"))
    fresh = noisy.sample(rng.spawn("fresh"), n)
    assert sliced_wasserstein(fresh, x, lines) <= 1.5 * floor.max
    assert sliced_wasserstein(fresh, x_T, lines) > 5 * floor.max
