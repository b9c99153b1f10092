"""The network of two modes: its measures against errors that are known, and that it is trained once."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.experiments import low_density, noise_levels, noising, two_modes
from refgen.experiments.outcome import surprises
from refgen.models.ncsn import NCSN

SMALL = dict(model=NCSN(T=4, largest=6.0, smallest=0.3, hidden=48, layers=2, features=16), steps=800)


def quiet(*now):
    pass


class Off(ExactDenoiser):
    """The exact score and something more."""

    def score(self, x, signal, std):
        return super().score(x, signal, std) + np.array([0.3, -0.4])


def test_errors_are_zero_for_the_exact_score_and_the_length_of_what_is_added():
    for places in two_modes.regions(1.0).values():
        assert two_modes.errors(ExactDenoiser(two_modes.LAW), 1.0, places).rmse == 0
        error = two_modes.errors(Off(two_modes.LAW), 1.0, places)
        assert error.rmse == pytest.approx(0.5)
        size = np.sqrt(np.mean(np.sum(two_modes.LAW.diffused(1.0, 1.0).score(places) ** 2, axis=1)))
        assert error.relative == pytest.approx(0.5 / size)


def test_regions_are_where_they_are_said_to_be():
    found = two_modes.regions(0.8)  # the noisy modes have std 1
    to_modes = np.min(np.linalg.norm(found["modes"][:, None] - two_modes.LAW.means, axis=-1), axis=1)
    assert 0.9 < to_modes.max() <= 1 + 1e-12 and two_modes.tolerable(0.8) == pytest.approx(0.2)
    assert np.all(np.linalg.norm(found["valley"], axis=1) <= 1 + 1e-12)
    assert np.linalg.norm(found["far"], axis=1) == pytest.approx(two_modes.FAR)
    law = two_modes.LAW.diffused(1.0, 0.8)
    densest = {name: float(np.max(law.log_prob(places))) for name, places in found.items()}
    assert densest["modes"] > densest["valley"] + 5 > densest["beside"] + 7 > densest["far"]


def test_likely_leaves_out_the_thinnest_share():
    law = two_modes.LAW
    points = two_modes.likely(law, Stream(1), 4000, 0.9)
    assert len(points) == 3600
    fresh = law.log_prob(law.sample(Stream(2), 4000))
    assert np.mean(fresh >= law.log_prob(points).min()) == pytest.approx(0.9, abs=0.02)


def test_the_network_is_trained_once_for_all():
    said = []
    one = two_modes.estimated(Stream(5, "a"), lambda *now: said.append(now), SMALL["model"], 20, 100)
    count = len(said)
    two = two_modes.estimated(Stream(5, "b"), lambda *now: said.append(now), SMALL["model"], 20, 100)
    assert 0 < count == len(said)
    x = Stream(1).normal(4, 2)
    assert np.array_equal(one.score(x, 1.0, 1.0), two.score(x, 1.0, 1.0))


@pytest.mark.slow
def test_all_three_experiments_come_out_as_is_known():
    for experiment in (low_density, noising, noise_levels):
        assert not surprises(experiment.run(Stream(0, "any"), quiet))
