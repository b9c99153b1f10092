"""Training as a generator of states: batches, resuming to the bit, options, what a model may override."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions import named as distribution
from refgen.models import named
from refgen.optimizers import Adam
from refgen.training import BLOCK, Batches, State, fit, start

MODEL = named("ddpm", T=20, schedule="cosine", hidden=16, features=8)
DATA = distribution("moons").standardised()[0]


def trained(state, steps, data=DATA, **options):
    for _ in fit(MODEL, data, state, steps, batch=32, **options):
        pass
    return state


def same(a, b):
    first, second = a.to_arrays(), b.to_arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("data", [DATA, Stream(3).normal(70, 2)])
@pytest.mark.parametrize("stop", [1, 57, BLOCK, BLOCK + 1, 130])
def test_a_saved_state_continues_to_the_same_bits(data, stop):
    whole = trained(start(MODEL, Stream(0, "train")), 150, data)
    part = trained(start(MODEL, Stream(0, "train")), stop, data)
    loaded = State.from_arrays(part.to_arrays())
    trained(part, stop + 1, data)  # what goes on after saving must not reach into the loaded state
    assert same(trained(loaded, 150, data), whole)


def test_another_seed_gives_other_parameters():
    a, b = (trained(start(MODEL, Stream(seed)), 3) for seed in (0, 1))
    assert not np.array_equal(a.params, b.params)


def test_cooling_down_continues_to_the_same_bits_and_ends_with_a_small_step():
    whole = trained(start(MODEL, Stream(0)), 60, cool=0.5)
    part = start(MODEL, Stream(0))
    for state in fit(MODEL, DATA, part, 60, batch=32, cool=0.5):
        if state.step == 45:
            break
    before = State.from_arrays(part.to_arrays())
    assert same(trained(before, 60, cool=0.5), whole)
    assert whole.adam.scale == pytest.approx(1 / 30)


def test_everything_is_float32():
    state = trained(start(MODEL, Stream(0)), 3)
    assert {a.dtype for a in (state.params, state.ema, state.adam.m, state.adam.v)} == {np.dtype(np.float32)}


def test_the_average_follows_the_parameters():
    state = start(MODEL, Stream(0))
    average = state.ema.copy()
    for k, s in enumerate(fit(MODEL, DATA, state, 30, batch=32, ema=0.9), start=1):
        keep = min(0.9, k / (k + 10))
        average = keep * average + (1 - keep) * s.params
    np.testing.assert_allclose(state.ema, average, rtol=1e-5, atol=1e-7)
    assert not np.array_equal(state.ema, state.params)


def test_batches_are_the_data_in_the_same_order_wherever_one_stops():
    whole = Batches(DATA, 8, Stream(1))
    drawn = [whole.next().copy() for _ in range(2 * BLOCK + 5)]
    for stop in (0, 3, BLOCK, BLOCK + 2, 2 * BLOCK):
        first = Batches(DATA, 8, Stream(1))
        for _ in range(stop):
            first.next()
        second = Batches(DATA, 8, Stream(1), first.state)
        assert np.array_equal(second.next(), drawn[stop])
    assert drawn[0].shape == (8, 2)
    assert drawn[0].dtype == np.float32
    assert len({float(b[0, 0]) for b in drawn}) == len(drawn)


def test_batches_of_an_array_are_its_rows_drawn_evenly():
    points = np.arange(20.0).reshape(10, 2)
    batches = Batches(points, 50, Stream(0))
    rows = np.concatenate([batches.next() for _ in range(BLOCK)])
    assert np.array_equal(rows[:, 1], rows[:, 0] + 1)
    counts = np.bincount((rows[:, 0] / 2).astype(int), minlength=10)
    assert np.all(np.abs(counts - 500) < 6 * np.sqrt(450))


def test_a_model_may_bring_its_own_update_and_arrays():
    class Odd:
        def init(self, rng):
            return np.zeros(2, np.float32)

        def update(self, state, batch, rng):
            state.extra["chain"] = state.extra.get("chain", np.zeros(1)) + rng.normal(1)
            state.params += batch.mean(axis=0)
            state.loss = float(state.extra["chain"][0])

    def run(state, steps):
        for _ in fit(Odd(), DATA, state, steps, batch=4):
            pass
        return state

    whole = run(start(Odd(), Stream(0)), 9)
    part = run(start(Odd(), Stream(0)), 4)
    assert same(run(State.from_arrays(part.to_arrays()), 9), whole)


def test_a_loss_that_is_not_finite_stops_with_one_line():
    class Broken:
        def init(self, rng):
            return np.zeros(2, np.float32)

        def loss(self, params, x, rng):
            return params.sum() * np.float32(np.nan)

    with pytest.raises(FloatingPointError, match="the loss is nan at step 1; try a smaller lr"):
        next(fit(Broken(), DATA, start(Broken(), Stream(0)), 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"ema": 1.0}, "ema is 1.0"),
        ({"cool": -0.1}, "cool is -0.1"),
        ({"data": np.zeros((3,))}, r"data has shape \(3,\)"),
        ({"data": np.full((3, 2), np.nan)}, "all finite"),
        ({"data": np.zeros((0, 2))}, "n >= 1"),
    ],
)
def test_an_option_out_of_range_is_named(options, message):
    options = {"data": DATA, "steps": 1, **options}
    with pytest.raises(ValueError, match=message):
        fit(MODEL, options.pop("data"), start(MODEL, Stream(0)), **options)


def test_arrays_that_are_no_state_are_refused():
    arrays = start(MODEL, Stream(0)).to_arrays()
    for name in ("params", "adam", "rng_state"):
        with pytest.raises(ValueError, match=f"not a training state: it has no '{name}'"):
            State.from_arrays({k: v for k, v in arrays.items() if k != name})
    with pytest.raises(ValueError, match="not a training state"):
        State.from_arrays({**arrays, "adam": np.array(3.0)})
    with pytest.raises(ValueError, match="differ in shape"):
        State.from_arrays({**arrays, "ema": np.zeros(3)})
    with pytest.raises(ValueError, match="not the state of a random stream"):
        State.from_arrays({**arrays, "rng_state": np.array("none")})


def test_the_learning_rate_is_checked():
    with pytest.raises(ValueError, match="lr is 0"):
        start(MODEL, Stream(0), lr=0)
    assert Adam.of(np.zeros(1), lr=0.5).lr == 0.5
