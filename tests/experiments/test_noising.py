"""The score after noising, on a small network: the valley is mended, far out it is not."""

from refgen.backend import Stream
from refgen.experiments import low_density, noising
from tests.experiments.test_two_modes import SMALL, quiet


def test_noise_mends_the_valley_and_not_what_lies_far_out():
    outcome = noising.run(Stream(0), quiet, **SMALL)
    little, much = outcome.numbers["std 0.3"], outcome.numbers["std 2"]
    assert much["valley"]["relative"] < 0.25 < 0.5 < little["valley"]["relative"]
    everywhere = outcome.claims[-1]
    assert "everywhere" in everywhere.what and not everywhere.expected and not everywhere.holds
    assert everywhere.measured == much["far"]["relative"] > 2 * much["modes"]["relative"]
    assert outcome.figure.axes[3].get_xlim() == (-noising.WIDE, noising.WIDE)


def test_both_experiments_speak_of_one_network():
    a = low_density.run(Stream(0, "a"), quiet, **SMALL).numbers["regions"]
    b = noising.run(Stream(0, "b"), quiet, **SMALL).numbers[f"std {low_density.STD}"]
    assert a == b
