"""The networks on a device: values and gradients to second order as on the host, nothing moved."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import elementwise_grad, grad, make_jvp, make_vjp

from refgen.backend import CPU, Stream
from refgen.models.error import weighted_error
from refgen.nets import fused, workspace
from refgen.nets.embedding import embedding
from refgen.nets.mlp import MLP
from refgen.nets.monotone import Monotone
from tests.device import DEVICES, DOUBLE, IDS, counting, same

PLAIN = MLP(inputs=2, outputs=2, hidden=8, layers=2)
NET = MLP(inputs=2, outputs=2, features=6, hidden=8, layers=3)
MONOTONE = Monotone(hidden=4)


def inputs(device, net=NET, rows=5, n=5):
    rng = Stream(0, device=device)
    params = net.init(rng, last=1.0) + 0.1 * rng.normal(net.size, dtype=onp.float32)
    features = rng.normal(rows, net.features, dtype=onp.float32) if net.features else None
    return params, rng.normal(n, 2, dtype=onp.float32), features


def divergence(function, x):
    total = 0.0
    for i in range(2):
        total = total + elementwise_grad(lambda z, i=i: function(z)[:, i])(x)[:, i]
    return total


def gradients(params, x, features):
    net = PLAIN if features is None else NET
    arguments = (params, x) if features is None else (params, x, features)
    g = onp.ones_like(x)
    found = [make_vjp(net, k)(*arguments)[0](g) for k in range(len(arguments))]
    return [net(*arguments), *found, make_jvp(lambda z: net(params, z, features))(x)(g)[1]]


def second(params, x, features):
    """The gradient of a Jacobian's trace, and of a penalty on the gradient: through the composition."""
    net = PLAIN if features is None else NET
    trace = grad(lambda p: np.sum(divergence(lambda z: net(p, z, features), x)))(params)

    def penalty(p):
        slope = grad(lambda z: np.sum(net(p, z, features)))(x)
        return np.sum(slope * slope)

    return [trace, grad(penalty)(params)]


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("work", [gradients, second])
@pytest.mark.parametrize(("net", "rows"), [(PLAIN, 0), (NET, 5), (NET, 1)])
def test_the_network_is_the_hosts(device, work, net, rows):
    on_host = work(*inputs(CPU, net, rows))
    arguments = inputs(device, net, rows)
    with counting() as count:
        on_device = work(*arguments)
    assert count.transfers == 0
    same(on_host, on_device)
    assert max(float(onp.max(onp.abs(part))) for part in on_host) > 0.1


def test_a_device_takes_one_thread_and_chunks_of_bounded_size(monkeypatch):
    monkeypatch.setenv("REFGEN_THREADS", "2")
    calls = []
    monkeypatch.setattr(fused, "run_parts", lambda work, parts: calls.append(parts) or [work(*parts[0])])
    params, x, features = inputs(DOUBLE, n=3 * fused.CHUNK, rows=1)
    whole = NET(params, x, features)
    make_vjp(NET)(params, x, features)[0](onp.ones_like(x))
    assert [len(parts) for parts in calls] == [1, 1, 1]
    assert [len(rows) for *_, rows, _, _ in calls[0]] == [1]
    monkeypatch.setattr(fused, "DEVICE_CHUNK", fused.CHUNK * NET.hidden)
    same(NET(params, x, features), whole)
    assert [len(rows) for *_, rows, _, _ in calls[-1]] == [3]


def test_buffers_come_back_to_their_own_library():
    host, there = onp.empty(0, onp.float32), DOUBLE.xp.empty(0, onp.float32)
    buffer = workspace.borrow((3, 77), there)
    assert isinstance(buffer, DOUBLE.xp.ndarray)
    workspace.give_back(buffer)
    assert isinstance(workspace.borrow((3, 77), host), onp.ndarray)
    assert workspace.borrow((3, 77), there) is buffer


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_the_embedding_is_the_hosts_and_its_frequencies_are_moved_once(device):
    levels = Stream(0).uniform(7) * 50 - 22
    for given in (levels, levels[:, None]):
        same(embedding(given, 10), embedding(device.xp.asarray(given), 10))
    same(embedding(1.25, 10), embedding(1.25, 10, xp=device.xp))
    with counting() as count:
        embedding(-3.5, 10, xp=device.xp)
    assert count.transfers == 0


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_the_weighted_error_is_the_hosts_to_second_order(device):
    def work(where):
        rng = Stream(2, device=where)
        weight, target, guess = (rng.normal(*shape, dtype=onp.float32) for shape in ((5,), (5, 2), (5, 2)))

        def slope(z):
            return grad(lambda y: weighted_error(weight, target, y) ** 2)(z)

        with counting() as count:
            found = [slope(guess), grad(lambda z: np.sum(slope(z) * z))(guess)]
        assert count.transfers == 0
        return found

    same(work(CPU), work(device))


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_the_monotone_network_is_the_hosts(device):
    def work(where):
        rng = Stream(1, device=where)
        params, t = MONOTONE.init(rng), rng.uniform(9, dtype=onp.float32)
        with counting() as count:
            found = [MONOTONE.between(params, t, -3.0, 4.0)]
            found.append(grad(lambda p: np.sum(MONOTONE.between(p, t, -3.0, 4.0) ** 2))(params))
        assert count.transfers == 0
        return found

    same(work(CPU), work(device), rtol=1e-3)
