"""Sequential Monte Carlo: selection keeps shares, and the weights of modes that are apart are found."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, OneLevelDenoiser, counted
from refgen.distributions import named
from refgen.metrics import mode_weights
from refgen.samplers.mala import mala
from refgen.samplers.smc import LEAST, drawn, selected, smc
from tests.samplers.test_langevin import levels

LAW = named("two_gaussians").standardised()[0]


def test_each_point_is_kept_as_often_as_its_share_says():
    log_weight = Stream(0).normal(50) * 2 - 900
    chosen = selected(log_weight, Stream(1))
    share = np.exp(log_weight - log_weight.max())
    assert chosen.shape == (50,)
    assert np.all(np.abs(np.bincount(chosen, minlength=50) - 50 * share / share.sum()) < 1)
    equal = selected(np.zeros(50), Stream(2))
    assert sorted(equal.tolist()) == list(range(50))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", [slice(None), 3])
def test_weights_that_say_nothing_choose_nothing(bad, where):
    log_weight = np.zeros(5)
    log_weight[where] = bad
    with pytest.raises(ValueError, match=rf"^the largest log-weight is {bad}; there is nothing to choose"):
        selected(log_weight, Stream(0))


def test_points_that_weigh_nothing_are_not_kept_unless_all_do():
    chosen = selected(np.array([-np.inf, 0.0, -np.inf, 0.0]), Stream(0))
    assert sorted(chosen.tolist()) == [1, 1, 3, 3]
    with pytest.raises(ValueError, match=r"^the largest log-weight is -inf"):
        selected(np.full(4, -np.inf), Stream(0))


def test_a_density_that_is_lost_on_the_way_stops_the_stages():
    def lost(x):
        return np.where(np.max(np.abs(x)) < 5, -0.5 * np.sum(x**2, axis=-1), np.nan)

    denoiser = OneLevelDenoiser(lambda x: -x, 0.1, lost)
    smc(denoiser, levels(0.1), np.zeros((50, 2)), Stream(0), steps=3, denoise=False)
    with pytest.raises(ValueError, match=r"^the largest log-weight is nan"):
        smc(denoiser, levels(0.1), np.full((50, 2), 9.0), Stream(0), steps=3, denoise=False)


def test_the_weights_of_modes_are_found_and_without_selection_are_not():
    exact, noise = ExactDenoiser(LAW), levels(0.05)
    x_T = 2 * Stream(0).normal(4000, 2)
    found = smc(exact, noise, x_T, Stream(1), steps=25, per_stage=3, denoise=False)
    assert np.all(np.abs(mode_weights(found, *LAW.modes).z) < 4)
    noisy = LAW.diffused(1.0, 0.05)
    assert abs(np.mean(noisy.log_prob(found)) + noisy.entropy) < 0.06
    stay = mala(exact, noise, x_T, Stream(1), step=2.0, steps=75, denoise=False)
    assert mode_weights(stay, *LAW.modes).z.max() > 10  # the start's shares


def test_end_ancestors_calls_and_precision():
    denoiser, kept = counted(ExactDenoiser(LAW)), dict.fromkeys([5, 2, 0])
    x_T, few = 3 * Stream(0).normal(600, 2, dtype=np.float32), dict(steps=5, per_stage=2, base_std=3.0)
    end = smc(denoiser, levels(0.3, 0.9), x_T, Stream(1), 1, trajectory=kept, **few)
    assert denoiser.calls == 5 * (2 + 2) + 1
    assert kept[0] is end and end.dtype == kept[2].dtype == np.float32
    noisy = smc(denoiser, levels(0.3, 0.9), x_T, Stream(1), 1, denoise=False, **few)
    np.testing.assert_allclose(end, denoiser.x_0(noisy, 1.0, 0.3), rtol=1e-6)
    rows = {tuple(row) for row in x_T}
    assert all(tuple(row) in rows for row in kept[5])  # each point's ancestor at the start
    assert np.mean(np.sum((end - kept[2]) ** 2, axis=1)) < np.mean(np.sum((end - kept[5]) ** 2, axis=1))


@pytest.mark.parametrize("n", [3, LEAST + 9])
def test_few_points_are_drawn_among_many(n):
    exact, kept, given = ExactDenoiser(LAW), dict.fromkeys([4, 0]), dict(steps=4, per_stage=2)
    x = drawn(exact, levels(0.3), (n, 2), Stream(0), trajectory=kept, **given)
    assert x.shape == kept[4].shape == (n, 2) and x.dtype == np.float32
    np.testing.assert_array_equal(kept[0], x)
    rng, count = Stream(0), max(n, LEAST)
    among = smc(exact, levels(0.3), 2 * rng.normal(count, 2, dtype=np.float32), rng, **given)
    at = [np.flatnonzero(np.all(among == row, axis=1))[0] for row in x]
    assert not np.array_equal(at, np.arange(n))  # nor are neighbours of one family neighbours here


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(t=2), r"t is 2; it must lie in 1\.\.1"),
        (dict(step=0.0), r"step is 0\.0; it must be a finite number > 0"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(per_stage=0), "per_stage is 0; it must be an integer >= 1"),
        (dict(base_std=0.0), r"base_std is 0\.0; it must be a finite number > 0"),
        (dict(trajectory={61: None}), r"trajectory asks for t = 61; times lie in 0\.\.60"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        smc(ExactDenoiser(LAW), levels(0.1), np.zeros((3, 2)), Stream(0), **wrong)


def test_a_score_alone_is_not_enough():
    with pytest.raises(ValueError, match="has no density"):
        smc(OneLevelDenoiser(lambda x: -x, 0.1), levels(0.1), np.zeros((3, 1)), Stream(0))
