"""Games on the ring: the best discriminator found, modes counted right, whole runs as expected."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions.gaussian import Gaussian
from refgen.experiments import gan_modes
from refgen.experiments.outcome import surprises


def test_a_discriminator_comes_to_the_ratio_of_the_densities():
    found = gan_modes.discriminator(Stream(0), gan_modes.DATA, gan_modes.FROZEN, 300, batch=256, hidden=16)
    assert found.rmse <= 0.03
    assert 0 <= found.best - found.value <= 5e-3
    untrained = gan_modes.discriminator(Stream(0), gan_modes.DATA, gan_modes.FROZEN, 2, batch=16, hidden=16)
    assert untrained.rmse > 0.1 and untrained.best - untrained.value > 0.02


def test_the_best_value_is_that_of_laws_apart_or_equal():
    one = gan_modes.DATA
    apart = Gaussian([5.0, 5.0], 0.01 * np.eye(2)), Gaussian([-5.0, -5.0], 0.01 * np.eye(2))
    for (p, q), value in [((one, one), -2 * np.log(2)), (apart, 0.0)]:
        found = gan_modes.discriminator(Stream(1), p, q, 1, batch=8, hidden=4)
        assert found.best == pytest.approx(value, abs=1e-6)


def test_the_ring_has_as_many_modes_as_is_said():
    assert len(gan_modes.LAW.modes[0]) == gan_modes.MODES


def test_a_game_covers_more_when_it_is_trained():
    begun = gan_modes.trained(Stream(0), "nonsaturating", True, 5, hidden=16)
    done = gan_modes.trained(Stream(0), "nonsaturating", True, 400, hidden=16)
    assert begun.modes <= 2 and done.modes >= 6
    assert done.times_floor < 0.4 * begun.times_floor
    assert done.points.shape == (2000, 2)


def test_one_seed_is_one_result_and_plain_games_differ_from_steadied():
    runs = [gan_modes.trained(Stream(3), "minimax", steady, 20, hidden=8) for steady in (True, True, False)]
    assert np.array_equal(runs[0].points, runs[1].points)
    assert not np.array_equal(runs[0].points, runs[2].points)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_is_as_expected(seed):
    outcome = gan_modes.run(Stream(seed, "reproduce"), lambda *stage: None)
    assert not surprises(outcome)
    assert len(outcome.numbers["games"]) == 6
    assert all(len(game["modes"]) == 5 for game in outcome.numbers["games"])
