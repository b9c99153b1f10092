"""Ladders of noise: what they hold, and what is refused."""

import numpy as np
import pytest

from refgen.ladders import Ladder, geometric


def test_a_geometric_ladder():
    ladder = geometric(10, 5.0, 0.01)
    assert ladder.T == 10 and ladder.std[0] == 0
    assert ladder.std[10] == pytest.approx(5.0, rel=1e-14) and ladder.std[1] == pytest.approx(0.01, rel=1e-14)
    ratios = ladder.std[2:] / ladder.std[1:-1]
    np.testing.assert_allclose(ratios, 500 ** (1 / 9), rtol=1e-12)
    assert ladder.level(10) == (1.0, ladder.std[10]) and type(ladder.level(3)[1]) is float
    np.testing.assert_allclose(ladder.log_snr[1:], -2 * np.log(ladder.std[1:]), rtol=1e-13)
    assert ladder.log_snr[0] == np.inf
    for array in (ladder.std, ladder.signal):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 10])
def test_fewer_levels_keep_the_largest_and_rise(steps):
    ladder = geometric(10, 5.0, 0.01)
    few = ladder.respaced(steps)
    assert steps == few.T and few.std[-1] == ladder.std[-1] and set(few.std) <= set(ladder.std)
    if steps > 1:
        assert few.std[1] == ladder.std[1]


def test_what_is_no_ladder_is_refused():
    for std, message in [
        ([0.0], r"std has shape \(1,\)"),
        ([0.1, 0.2], "the first 0"),
        ([0, 1, 1], r"std\[2\] is 1, not above 1"),
        ([0, 2, 1], r"std\[2\] is 1, not above 2"),
        ([0, 1, np.inf], "finite"),
        ([[0, 1]], "must be T"),
    ]:
        with pytest.raises(ValueError, match=message):
            Ladder(np.array(std, float))
    for T, largest, smallest in [(1, 1, 0.1), (2.5, 1, 0.1), (True, 1, 0.1)]:
        with pytest.raises(ValueError, match=f"T is {T}; a ladder has two levels or more"):
            geometric(T, largest, smallest)
    for largest, smallest in [(1, 1), (0.1, 1), (1, 0), (np.inf, 1), (np.nan, 1)]:
        with pytest.raises(ValueError, match="0 < smallest < largest is needed"):
            geometric(5, largest, smallest)
    for t in (-1, 6):
        with pytest.raises(ValueError, match=f"t is {t}; it must lie in 0..5"):
            geometric(5, 1, 0.1).level(t)
    for steps in (0, 6, 2.5):
        with pytest.raises(ValueError, match=f"steps is {steps}; it must be an integer in 1..5"):
            geometric(5, 1, 0.1).respaced(steps)
