"""What comes from outside is checked, and comes in as one kind of thing."""

import numpy as np
import pytest

from refgen.distributions import doors


def test_a_level_becomes_python_floats():
    level = doors.check_level(np.float32(0.5), np.array(1))
    assert level == (0.5, 1.0)
    assert all(type(value) is float for value in level)
    assert doors.check_level(1, 0) == (1.0, 0.0)
    assert doors.check_level(0, 1e-100) == (0.0, 1e-100)


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ((-0.1, 1), "signal is -0.1; it must be a finite number >= 0"),
        ((1, np.inf), "std is inf"),
        ((1, [0.5]), r"std is \[0.5\]"),
        ((0, 0), "signal and std are both 0"),
        ((1, 9e-101), "std is 9e-101; it must be 0 or at least 1e-100"),
    ],
)
def test_a_wrong_level_is_named(level, message):
    with pytest.raises(ValueError, match=message):
        doors.check_level(*level)


def test_affine_parameters_become_vectors_of_their_own():
    shift = np.array([1.0, 2.0])
    vectors = doors.affine_parameters(shift, 3, 2)
    shift[0] = 9
    assert [v.tolist() for v in vectors] == [[1.0, 2.0], [3.0, 3.0]]
    assert doors.affine_parameters([1], [2], 3)[0].shape == (3,)
    for bad in ((0, [1, 0]), (0, -1), ([1, 2, 3], 1), (0, np.nan), (np.zeros((2, 2)), 1)):
        with pytest.raises(ValueError, match=r"^(shift|scale) is "):
            doors.affine_parameters(*bad, 2)


@pytest.mark.parametrize("n", [True, -1, 2.0, "3", None])
def test_a_count_is_a_whole_number(n):
    with pytest.raises(ValueError, match=r"^n is .*; it must be a whole number >= 0"):
        doors.check_count(n)
    assert type(doors.check_count(np.int32(4))) is int


def test_an_array_is_a_copy_in_float64_and_finite():
    given = np.ones((2, 2), np.float32)
    array = doors.finite_array("x", given, 2)
    array[0] = 5
    assert array.dtype == np.float64
    assert np.all(given == 1)
    for value, message in [
        ([[1], [1, 2]], "x is not an array of numbers"),
        ([["a"]], "x is not an array of numbers"),
        ([1.0], r"x has shape \(1,\); it must have 2 axes"),
        ([[np.nan]], "x holds a NaN or an infinity"),
    ]:
        with pytest.raises(ValueError, match=message):
            doors.finite_array("x", value, 2)


def test_weights_add_up_to_one():
    assert doors.checked_weights(None, 4).tolist() == [0.25] * 4
    assert doors.checked_weights([1, 3], 2).tolist() == [0.25, 0.75]
    for bad in ([1, 0], [1, -1], [1], [[1, 1]], [1, np.inf]):
        with pytest.raises(ValueError, match="weights "):
            doors.checked_weights(bad, 2)


def test_what_is_shown_is_one_short_line():
    assert doors.shown(np.zeros((50, 3))).count("\n") == 0
    assert len(doors.shown(list(range(100)))) == 60
    assert doors.shown([1, 2]) == "[1, 2]"
