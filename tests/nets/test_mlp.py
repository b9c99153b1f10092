"""The fused network against the composed one, to second order; its dtype, caches and inference path."""

import gc

import autograd.numpy as np
import pytest
from autograd import elementwise_grad, grad, make_jvp, make_vjp
from autograd.test_util import check_grads
from numpy import testing

from refgen.backend import Stream
from refgen.nets import workspace
from refgen.nets.mlp import MLP

NET = MLP(inputs=2, outputs=2, features=6, hidden=8, layers=3)


def inputs(dtype=np.float64, n=5, net=NET, rows=None):
    rng = Stream(0, "inputs")
    params = net.init(rng, last=1.0) + 0.1 * rng.normal(net.size, dtype=np.float32)
    features = rng.normal(rows or n, net.features, dtype=dtype)
    return params.astype(dtype), rng.normal(n, net.inputs, dtype=dtype), features


@pytest.mark.parametrize("rows", [None, 1])
def test_the_gradients_are_right_to_second_order_forward_and_reverse(rows):
    check_grads(NET, order=2)(*inputs(n=3, rows=rows))


@pytest.mark.parametrize("argnum", [0, 1, 2])
@pytest.mark.parametrize("rows", [None, 1])
def test_the_written_gradient_is_that_of_the_composition(argnum, rows):
    args = inputs(rows=rows)
    cotangent = Stream(1).normal(5, 2)
    fused = make_vjp(NET, argnum)(*args)
    composed = make_vjp(NET.compose, argnum)(*args)
    testing.assert_allclose(fused[1], composed[1], rtol=1e-12, atol=1e-14)
    testing.assert_allclose(fused[0](cotangent), composed[0](cotangent), rtol=1e-11, atol=1e-13)


def divergence(function, x):
    """The trace of the Jacobian, one reverse pass a coordinate."""
    total = 0.0
    for i in range(2):
        total = total + elementwise_grad(lambda z, i=i: function(z)[:, i])(x)[:, i]
    return total


def test_a_jacobian_trace_has_the_right_gradient():
    params, x, features = inputs()
    of_fused = grad(lambda p: np.sum(divergence(lambda z: NET(p, z, features), x)))(params)
    of_composed = grad(lambda p: np.sum(divergence(lambda z: NET.compose(p, z, features), x)))(params)
    testing.assert_allclose(of_fused, of_composed, rtol=1e-10, atol=1e-12)
    assert np.max(np.abs(of_fused)) > 0.1


def test_a_forward_derivative_is_the_jacobian_times_the_tangent():
    params, x, features = inputs()
    tangent = Stream(2).normal(5, 2)
    _, fused = make_jvp(lambda z: NET(params, z, features))(x)(tangent)
    step = 1e-6
    difference = NET(params, x + step * tangent, features) - NET(params, x - step * tangent, features)
    testing.assert_allclose(fused, difference / (2 * step), rtol=1e-6, atol=1e-8)


def test_two_forward_passes_before_one_backward_pass_keep_their_own_caches():
    params, x, features = inputs()

    def loss(p):
        first, second = NET(p, x, features), NET(p, -2 * x, features)
        return np.sum(first * first) + np.sum(np.sin(first) * second)

    def composed(p):
        first, second = NET.compose(p, x, features), NET.compose(p, -2 * x, features)
        return np.sum(first * first) + np.sum(np.sin(first) * second)

    testing.assert_allclose(grad(loss)(params), grad(composed)(params), rtol=1e-10, atol=1e-12)


def test_one_backward_pass_may_be_asked_twice_and_after_other_work():
    params, x, features = inputs()
    vjp, _ = make_vjp(NET)(params, x, features)
    g = Stream(3).normal(5, 2)
    first = vjp(g).copy()
    grad(lambda p: np.sum(NET(p, 3 * x, features)))(params)
    testing.assert_array_equal(vjp(g), first)


def test_buffers_are_used_again(monkeypatch):
    monkeypatch.setattr(workspace, "_spare", workspace.defaultdict(list))
    params, x, features = inputs(np.float32)
    loss = grad(lambda p: np.sum(NET(p, x, features) ** 2))
    gc.disable()
    try:
        counts = []
        for _ in range(4):
            loss(params)
            counts.append(sum(len(kept) for kept in workspace._spare.values()))
    finally:
        gc.enable()
    assert counts[0] > 0
    assert counts == [counts[0]] * 4


def test_float32_stays_float32_through_the_backward_pass():
    params, x, features = inputs(np.float32)
    vjp, value = make_vjp(lambda p, z, f: NET(p, z, f))(params, x, features)
    assert value.dtype == np.float32
    for argnum in range(3):
        vjp, _ = make_vjp(NET, argnum)(params, x, features)
        assert vjp(value).dtype == np.float32
        vjp, _ = make_vjp(NET.compose, argnum)(params, x, features)
        assert vjp(value).dtype == np.float32


def test_extreme_inputs_give_finite_gradients_without_a_warning():
    params, x, features = inputs(np.float32)
    with np.errstate(all="raise", under="ignore"):
        for network in (NET, NET.compose):
            value = grad(lambda z, network=network: np.sum(network(params, z, features)))(1e4 * x)
            assert np.all(np.isfinite(value))


@pytest.mark.parametrize("n", [0, 1, 999, 1000, 2345])
@pytest.mark.parametrize("rows", [None, 1])
def test_the_inference_path_is_the_composition(n, rows):
    params, x, features = inputs(n=n, rows=rows)
    value = NET(params, x, features)
    assert value.shape == (n, 2)
    testing.assert_allclose(value, NET.compose(params, x, features), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("count", ["2", "3"])
def test_threads_change_nothing_but_the_order_of_the_sum(monkeypatch, count):
    params, x, features = inputs(n=2345)
    g = Stream(4).normal(2345, 2)
    value = NET(params, x, features)
    alone = [make_vjp(NET, k)(params, x, features)[0](g) for k in range(3)]
    monkeypatch.setenv("REFGEN_THREADS", count)
    testing.assert_allclose(NET(params, x, features), value, rtol=1e-12)
    for k in range(3):
        shared = make_vjp(NET, k)(params, x, features)[0](g)
        testing.assert_allclose(shared, alone[k], rtol=1e-9, atol=1e-10)


def test_an_untrained_network_returns_zeros_and_its_layers_keep_the_scale():
    net = MLP(inputs=2, outputs=2, features=64)
    params = net.init(Stream(0))
    rng = Stream(1)
    x, features = rng.normal(500, 2), rng.normal(500, 64) * np.sqrt(0.5)
    assert not np.any(net(params, x, features))
    first = np.concatenate([x, features], axis=1) @ net.layout.views(params)[0]
    assert 0.8 < np.std(first) < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, x, f: (p[1:], x, f), r"params has shape \(\d+,\)"),
        (lambda p, x, f: (p, x[:, :1], f), r"x has shape \(5, 1\); this network takes \(n, 2\)"),
        (lambda p, x, f: (p, x, None), r"features has shape None"),
        (lambda p, x, f: (p, x, f[:2]), r"features has shape \(2, 6\)"),
    ],
)
def test_a_wrong_shape_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        NET(*change(*inputs()))


def test_a_wrong_size_or_thread_count_is_named(monkeypatch):
    with pytest.raises(ValueError, match="hidden is 0"):
        MLP(inputs=2, outputs=2, hidden=0)
    monkeypatch.setenv("REFGEN_THREADS", "two")
    with pytest.raises(ValueError, match="REFGEN_THREADS is 'two'"):
        NET(*inputs())
