"""Training on a device: the host's numbers bit for bit, nothing moved in a step, resumed anywhere."""

import math

import numpy as np
import pytest

from refgen import models
from refgen.backend import CPU, Stream
from refgen.distributions import NAMES, GaussianMixture, named
from refgen.optimizers import Adam
from refgen.training import BLOCK, Batches, State, fit, start
from tests.device import DEVICES, DOUBLE, IDS, counting, same
from tests.device.test_models import VARIANT_IDS, VARIANTS, rounding_decides, rows
from tests.device.test_models import start as start_of

MIXTURE = GaussianMixture([[-1.0, 0.0], [1.0, 0.5]], [0.1, 0.2], [1, 2])
MODEL = models.named("ddpm", T=9, hidden=8, layers=2, features=4)
POINTS = Stream(3).normal(40, 2)


def trained(state, steps, data=MIXTURE, model=MODEL):
    for _ in fit(model, data, state, steps, batch=16):
        pass
    return state


def numbers(state):
    """What is saved, but for the streams' states: a device has drawn ahead, which its state says."""
    return {name: array for name, array in state.to_arrays().items() if array.dtype.kind != "U"}


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=VARIANT_IDS)
def test_every_model_trains_to_the_same_numbers(device, name, options):
    model = models.named(name, **options)
    moved = rounding_decides(model, device)
    data = rows(model, CPU) if hasattr(model, "classes") else MIXTURE
    host, there = (
        trained(start_of(model, Stream(0, device=d), moved), 5, data, model) for d in (CPU, device)
    )
    same(numbers(host), numbers(there))


@pytest.mark.parametrize("data", [*(named(name) for name in NAMES), POINTS], ids=[*NAMES, "points"])
def test_a_step_moves_nothing_but_the_streams_own_blocks(data):
    state = start(MODEL, Stream(0, device=DOUBLE))
    steps = fit(MODEL, data, state, 10**6, batch=16)
    next(steps)  # tables, points and the first block
    with counting() as count:
        for _ in range(2 * BLOCK + 10):
            next(steps)
    assert count.transfers == 2  # the loss is looked at every BLOCK steps
    assert count.blocks <= 8
    assert isinstance(state.loss, DOUBLE.xp.ndarray)
    assert isinstance(state.total, DOUBLE.xp.ndarray)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("stop", [37, BLOCK, 130])
def test_a_run_begun_on_one_device_goes_on_on_another(device, stop):
    whole = numbers(trained(start(MODEL, Stream(0)), 150))
    for first, second in ((CPU, device), (device, CPU), (device, device)):
        part = trained(start(MODEL, Stream(0, device=first)), stop)
        loaded = State.from_arrays(part.to_arrays(), second)
        assert loaded.rng.device is second
        assert isinstance(loaded.params, second.xp.ndarray)
        same(whole, numbers(trained(loaded, 150)))


def test_what_is_saved_is_on_the_host():
    state = trained(start(MODEL, Stream(0, device=DOUBLE)), 2)
    state.extra["chain"] = DOUBLE.xp.zeros(3)
    arrays = state.to_arrays()
    assert {type(array) for array in arrays.values()} == {np.ndarray}
    again = State.from_arrays(arrays, DOUBLE)
    assert all(
        isinstance(part, DOUBLE.xp.ndarray) for part in (again.ema, again.adam.v, again.extra["chain"])
    )


def test_a_loss_that_is_not_finite_is_found_within_a_hundred_steps():
    class Broken:
        def init(self, rng):
            return rng.xp.zeros(2, dtype=np.float32)

        def loss(self, params, x, rng):
            return params.sum() * math.nan

    for last, found in ((10**6, BLOCK), (7, 7)):
        state = start(Broken(), Stream(0, device=DOUBLE))
        with pytest.raises(FloatingPointError, match=f"the loss is nan at step {found}; try a smaller lr"):
            trained(state, last, model=Broken())


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_points_are_moved_once_and_drawn_as_on_the_host(device):
    host = Batches(POINTS, 8, Stream(1))
    with counting() as count:
        there = Batches(POINTS, 8, Stream(1, device=device))
        drawn = [there.next() for _ in range(2 * BLOCK)]
    assert count.transfers <= 1
    same([host.next() for _ in range(2 * BLOCK)], drawn)
    again = Batches(POINTS, 8, Stream(1), there.state)
    same(again.next(), there.next())


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_adam_is_the_hosts_in_place(device):
    def work(where):
        rng = Stream(0, device=where)
        params = rng.normal(7, dtype=np.float32)
        adam, gradients = Adam.of(params), rng.normal(9, 7, dtype=np.float32)
        with counting() as count:
            for g in gradients:
                adam.update(params, g)
        assert count.transfers == 0
        return [params, adam.m, adam.v]

    same(work(CPU), work(device))
