"""The fused network where test_mlp does not look: no condition, a condition shared by threads, its shares."""

import autograd.numpy as np
import pytest
from autograd import make_vjp
from numpy.testing import assert_allclose, assert_array_equal

from refgen.backend import Stream
from refgen.nets import fused
from refgen.nets.fused import CHUNK, SPLIT, _shares
from refgen.nets.mlp import MLP

PLAIN = MLP(inputs=3, outputs=2, hidden=8, layers=2)
NET = MLP(inputs=2, outputs=2, features=6, hidden=8, layers=3)


def params_of(net):
    rng = Stream(0)
    return net.init(rng, last=1.0).astype(np.float64) + 0.1 * rng.normal(net.size)


@pytest.mark.parametrize("n", [1, CHUNK + 1])
def test_a_network_without_a_condition_is_the_composition(n):
    params, x, g = params_of(PLAIN), Stream(1).normal(n, 3), Stream(2).normal(n, 2)
    assert_allclose(PLAIN(params, x, None), PLAIN.compose(params, x, None), rtol=1e-12, atol=1e-13)
    for argnum in (0, 1):
        fused, composed = (make_vjp(f, argnum)(params, x, None)[0](g) for f in (PLAIN, PLAIN.compose))
        assert_allclose(fused, composed, rtol=1e-10, atol=1e-12)


def test_threads_that_share_a_condition_add_its_gradients(monkeypatch):
    params, x, features = params_of(NET), Stream(1).normal(3 * SPLIT, 2), Stream(2).normal(1, 6)
    g = Stream(3).normal(3 * SPLIT, 2)
    monkeypatch.setenv("REFGEN_THREADS", "3")
    found = make_vjp(NET, 2)(params, x, features)[0](g)
    assert found.shape == (1, 6)
    assert_allclose(found, make_vjp(NET.compose, 2)(params, x, features)[0](g), rtol=1e-10, atol=1e-11)


def test_only_the_gradients_that_are_asked_for_are_computed():
    params, x, features = params_of(NET), Stream(1).normal(9, 2), Stream(2).normal(9, 6)
    _, tape = fused._forward(fused._halved(NET, params), x, features)
    g = np.ones((9, 2))
    every = fused._backward(NET, tape, g, (0, 1, 2))
    assert_array_equal(fused._backward(NET, tape, g, (0,))[0], every[0])
    for activation in tape.activations:  # the parameters' gradient takes them, and it alone
        activation[:] = np.nan
    assert_array_equal(fused._backward(NET, tape, g, (1, 2))[0], every[1])
    assert_array_equal(fused._backward(NET, tape, g, (2,))[0], every[2])
    assert np.any(np.isnan(fused._backward(NET, tape, g, (0,))[0]))


@pytest.mark.parametrize("n", [1, SPLIT, 2 * SPLIT - 1, 2 * SPLIT, 5 * SPLIT + 7])
def test_every_row_is_in_one_share_and_no_share_is_small(monkeypatch, n):
    monkeypatch.setenv("REFGEN_THREADS", "4")
    x, features = np.arange(n)[:, None], -np.arange(n)[:, None]
    shares = _shares(x, features)
    assert len(shares) == min(4, max(1, n // SPLIT))
    assert_array_equal(np.concatenate([part for part, _ in shares]), x)
    assert all(np.array_equal(part, -rows) for part, rows in shares)
    assert len(shares) == 1 or min(len(part) for part, _ in shares) >= SPLIT
    assert all(rows is None for _, rows in _shares(x, None))


def test_neither_path_changes_what_it_is_given():
    given = params_of(NET), Stream(1).normal(9, 2), Stream(2).normal(9, 6)
    copies = [a.copy() for a in given]
    NET(*given)
    vjp, _ = make_vjp(NET)(*given)
    vjp(np.ones((9, 2)))
    for a, b in zip(given, copies, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("rows", [300, 1])
def test_what_a_buffer_held_before_does_not_matter(monkeypatch, rows):
    params, g = params_of(NET).astype(np.float32), Stream(2).normal(300, 2, dtype=np.float32)
    x, features = Stream(1).normal(300, 2, dtype=np.float32), Stream(3).normal(rows, 6, dtype=np.float32)
    expected = [make_vjp(NET, k)(params, x, features)[0](g) for k in range(3)]
    value = NET(params, x, features)
    monkeypatch.setattr(fused, "borrow", lambda shape, like: np.full(shape, -3e38, like.dtype))
    with np.errstate(all="raise", under="ignore"):
        assert_array_equal(NET(params, x, features), value)
        for k in range(3):
            assert_array_equal(make_vjp(NET, k)(params, x, features)[0](g), expected[k])
