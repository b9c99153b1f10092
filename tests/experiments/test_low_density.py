"""The score where data are few, on a small network: wrong in the valley, right at the modes."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.experiments import low_density, two_modes
from tests.experiments.test_two_modes import SMALL, Off, quiet


def test_the_valley_is_wrong_and_the_modes_are_right():
    outcome = low_density.run(Stream(0), quiet, **SMALL)
    found = {name: error["relative"] for name, error in outcome.numbers["regions"].items()}
    assert found["modes"] < 0.25 < 0.5 < found["valley"]
    assert outcome.claims[0].what == "RMSE in the valley / at the modes" and outcome.claims[0].holds
    tenths = outcome.numbers["RMSE by density, rarest tenth first"]
    assert len(tenths) == 10 and tenths[0] > 10 * tenths[-1]
    assert len(outcome.figure.axes) == 4


def test_an_error_that_is_the_same_everywhere_is_so_in_every_tenth():
    assert low_density.by_density(Off(two_modes.LAW), 0.5) == pytest.approx([0.5] * 10)
    assert low_density.by_density(ExactDenoiser(two_modes.LAW), 0.5, 3) == [0.0] * 3


def test_the_map_is_white_where_the_error_is_tolerable_and_not_elsewhere():
    for factor, white in [(0.5, True), (3.0, False)]:
        size = factor * two_modes.tolerable(1.0)

        class Known(ExactDenoiser):
            def score(self, x, signal, std, size=size):
                return super().score(x, signal, std) + np.array([size, 0.0])

        figure = low_density.strip(Known(two_modes.LAW), 1.0, "data")
        image = figure.axes[3].images[0]
        assert np.all(image.norm(image.get_array()) == 0) == white
