"""The terms of the bound: their sum, and the steps' KL by hand from a denoiser that says nothing."""

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import LearnedDenoiser
from refgen.models.bound import Bound, sum_of_steps
from refgen.samplers.ancestral import step_variances
from refgen.schedules import linear

SILENT = LearnedDenoiser(lambda x, log_snr: 0 * x, "eps")


def test_the_total_is_the_sum():
    assert Bound(1.0, 20.0, 300.0).total == 321.0


def test_the_steps_by_hand():
    """KL of two Gaussians with means x_0-wise apart by the error, at each step its own noise."""
    levels, x, rng = linear(1000).respaced(6), Stream(0).normal(9, 2), Stream(1)
    by_hand = np.zeros(9)
    for t in range(6, 1, -1):
        square = np.sum(rng.normal(9, 2) ** 2, axis=1)
        alpha, bar, before = levels.alpha[t], levels.alpha_bar[t], levels.alpha_bar[t - 1]
        posterior = (1 - alpha) * (1 - before) / (1 - bar)
        apart = (1 - alpha) ** 2 / (alpha * (1 - bar)) * square  # of the means, squared
        for_var = 1 - alpha  # the larger variance
        by_hand += 0.5 * (apart / for_var + 2 * (posterior / for_var - 1 - np.log(posterior / for_var)))
    got = sum_of_steps(SILENT, levels, x, step_variances(levels, "large"), Stream(1))
    np.testing.assert_allclose(got, by_hand, rtol=1e-9)


def test_one_level_has_no_steps_and_precision_stays():
    levels, x = linear(1000).respaced(1), np.zeros((3, 2), np.float32)
    np.testing.assert_array_equal(sum_of_steps(SILENT, levels, x, np.zeros(2), Stream(0)), np.zeros(3))
