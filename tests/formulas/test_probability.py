"""Discrete laws against 50 digits, in float32, with zeros, broadcast."""

import mpmath as mp
import numpy as np
import pytest

from refgen.formulas import probability

EPS = np.finfo(float).eps
RNG = np.random.default_rng(1)


def law(*shape):
    p = RNG.random(shape) ** 6 + 1e-12
    return p / p.sum(-1, keepdims=True)


@pytest.mark.parametrize("k", [1, 2, 10, 100])
def test_against_50_digits(k):
    p, q = law(k), law(k)
    with mp.workdps(50):
        a, b = [mp.mpf(v) for v in p.tolist()], [mp.mpf(v) for v in q.tolist()]
        terms = [x * mp.log(x / y) for x, y in zip(a, b, strict=True)]
        logs = [x * mp.log(y) for x, y in zip(a, b, strict=True)]
        joint = [x * y for x, y in zip(a, b, strict=True)]
        for got, exact in ((probability.kl_discrete(p, q), terms), (probability.expected_log(p, q), logs)):
            assert abs(mp.mpf(float(got)) - sum(exact)) <= 10 * EPS * (sum(map(abs, exact)) + EPS)
        for got, exact in zip(probability.bayes(p, q).tolist(), joint, strict=True):
            assert abs(mp.mpf(got) / (exact / sum(joint)) - 1) <= 10 * EPS


def test_states_without_probability_count_nothing():
    p, q = np.array([0.0, 0.25, 0.75]), np.array([0.0, 0.5, 0.5])
    assert probability.kl_discrete(p, p) == 0
    assert probability.kl_discrete(p, q) == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5))
    np.testing.assert_array_equal(probability.bayes(np.array([0.0, 1.0]), np.array([0.9, 0.1])), [0, 1])


def test_broadcasting_and_float32():
    p, q = law(4, 3).astype(np.float32), law(3).astype(np.float32)
    first, second = law(2, 3).astype(np.float32), law(3, 4).astype(np.float32)
    for value, shape in (
        (probability.kl_discrete(p, q), (4,)),
        (probability.expected_log(q, p), (4,)),
        (probability.bayes(p, q), (4, 3)),
        (probability.chain_rule(first, second), (2, 3, 4)),
    ):
        assert value.shape == shape
        assert value.dtype == np.float32
    np.testing.assert_allclose(probability.chain_rule(first, second).sum((1, 2)), 1, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: probability.kl_discrete(np.ones(2), np.ones(3)),
        lambda: probability.bayes(np.ones(2), np.ones(3)),
        lambda: probability.expected_log(np.ones(2), np.ones(3)),
        lambda: probability.chain_rule(np.ones((2, 3)), np.ones((2, 4))),
    ],
)
def test_shapes_that_do_not_fit_raise(call):
    with pytest.raises(ValueError, match="shape"):
        call()
