"""What is wrapped around a formula changes what it is given and what it returns, and nothing else."""

from typing import NamedTuple

import numpy as np
import pytest

from refgen.backend import CPU
from refgen.cards.inject import each, in_precision, on_copies, on_device


class Pair(NamedTuple):
    a: float
    b: list


def test_each_keeps_what_holds_the_values():
    doubled = each(lambda v: 2 * v, [1, (2, 3), {"x": Pair(4, [5])}])
    assert doubled == [2, (4, 6), {"x": Pair(8, [10])}] and type(doubled[2]["x"]) is Pair


def test_a_formula_cannot_change_its_arguments():
    def formula(x, pair):
        x += 1
        pair[0][:] = 9
        return x

    x, y = np.zeros(2), np.zeros(2)
    assert np.all(on_copies(formula)(x, pair=(y,)) == 1)
    assert not x.any() and not y.any()


def test_float32_goes_in_and_must_come_out():
    seen = []

    def formula(x):
        seen.append(x.dtype)
        return {"twice": x * 2, "both": (x, 1.5)}

    result = in_precision(formula, "float32")(np.ones(3))
    assert seen == [np.float32]
    assert result["twice"].dtype == result["both"][0].dtype == np.float64 and result["both"][1] == 1.5
    with pytest.raises(TypeError, match="float64 came out"):
        in_precision(lambda x: x * np.float64(2), "float32")(np.ones(3))


def test_arrays_in_lists_and_tuples_go_in_as_float32_too():
    def formula(levels, step, *, named):
        assert {a.dtype for a in (*levels, step.b[0], named["x"])} == {np.dtype(np.float32)}
        assert step.a == 0.5 and type(step.a) is float
        return [levels[0] * step.a]

    one = np.ones(2)
    (found,) = in_precision(formula, "float32")([one, one], Pair(0.5, [one]), named={"x": one})
    assert found.dtype == np.float64 and np.all(found == 0.5)


def test_on_the_host_in_float64_nothing_is_wrapped():
    assert in_precision(max, "float64") is max
    assert on_device(max, CPU) is max
