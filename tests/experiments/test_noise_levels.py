"""Three levels of noise, on a small network: each panel's error, and what is drawn."""

import numpy as np

from refgen.backend import Stream
from refgen.experiments import noise_levels, two_modes
from tests.experiments.test_two_modes import SMALL, quiet


def test_three_levels_with_a_small_error_each():
    outcome = noise_levels.run(Stream(0), quiet, n=2000, **SMALL)
    assert list(outcome.numbers) == ["std 0.3", "std 1", "std 3"]
    relative = [error["relative"] for error in outcome.numbers.values()]
    assert np.all(np.array(relative) < 0.25) and min(relative) > 0.001
    denoiser = two_modes.estimated(Stream(0), quiet, **SMALL)
    for std, error in zip(noise_levels.STDS, relative, strict=True):
        law = two_modes.LAW.diffused(1.0, std)
        fresh = law.sample(Stream(9), 4000)
        dense = fresh[law.log_prob(fresh) >= np.quantile(law.log_prob(fresh), 0.05)]
        assert abs(two_modes.errors(denoiser, std, dense).relative / error - 1) < 0.15
    assert [claim.measured for claim in outcome.claims] == relative
    assert outcome.figure.axes[-1].get_title().endswith(f"{relative[-1]:.3f}")


def test_an_untrained_network_is_no_better_than_a_score_of_zero():
    outcome = noise_levels.run(Stream(0), quiet, n=500, model=two_modes.MODEL, steps=0)
    for error in outcome.numbers.values():
        assert abs(error["relative"] - 1) < 1e-6
    assert not any(claim.holds for claim in outcome.claims)
