"""What all samplers of levels in continuous time have in common: few steps, precision, ends, kept levels."""

import warnings

import numpy as np
import pytest

from refgen import processes, samplers
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import Gaussian
from refgen.ladders import geometric
from refgen.schedules import named as schedule_named
from tests.samplers.test_ancestral import EXACT

CALLS = {
    ("euler_maruyama", ()): lambda T: T,
    ("predictor_corrector", (("steps", 2),)): lambda T: 3 * (T - 1) + 1,
    ("predictor_corrector", (("step", 0.1),)): lambda T: 2 * T - 1,
    ("edm", ()): lambda T: 2 * T - 1,
    ("edm", (("churn", 5.0),)): lambda T: 2 * T - 1,
    ("probability_flow", (("method", "euler"),)): lambda T: T,
    ("probability_flow", ()): lambda T: 2 * T - 1,
    ("probability_flow", (("method", "rk4"),)): lambda T: 4 * T - 3,
    ("probability_flow", (("method", "rk45"),)): None,
}
WAYS = [
    pytest.param(name, dict(given), CALLS[name, given], id=f"{name}{dict(given)}") for name, given in CALLS
]


class Float64Noise(Stream):
    """The same draws in every precision."""

    def normal(self, *shape, dtype=np.float64):
        return super().normal(*shape).astype(dtype)


def grids(T, given):
    """A grid of each kind of noise; of one for the method that is slow, whatever the number of levels."""
    names = ("vp",) if given.get("method") == "rk45" else processes.NAMES
    return [processes.named(name).grid(T) for name in names]


def draw(sampler, levels, n=20, d=2, dtype=np.float64, denoiser=EXACT, rng=Float64Noise, **given):
    x_T = (levels.level(levels.T)[1] * Stream(3).normal(n, d)).astype(dtype)
    return samplers.named(sampler)(denoiser, levels, x_T, rng(4), **given)


@pytest.mark.parametrize(("sampler", "given", "calls"), WAYS)
@pytest.mark.parametrize("T", [1, 2, 3, 7])
def test_any_number_of_steps_ends_at_the_denoised_last_point(sampler, given, calls, T):
    for levels in grids(T, given):
        for dtype in (np.float32, np.float64):
            denoiser, kept = counted(EXACT), dict.fromkeys(range(T + 1))
            x_0 = draw(sampler, levels, dtype=dtype, denoiser=denoiser, trajectory=kept, **given)
            assert calls is None or denoiser.calls == calls(T)
            assert all(x.dtype == dtype and x.shape == (20, 2) for x in kept.values())
            assert all(np.all(np.isfinite(x)) for x in kept.values())
            assert kept[0] is x_0
            if "churn" not in given:
                end = EXACT.x_0(kept[1], *levels.level(1))
                np.testing.assert_allclose(x_0, end, rtol=0, atol=1e-4 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize(("sampler", "given", "calls"), WAYS)
def test_kept_levels_and_blocks_of_noise_change_nothing(sampler, given, calls, monkeypatch):
    levels = processes.VP().grid(9)
    whole = draw(sampler, levels, **given)
    kept = {5: None}
    np.testing.assert_allclose(draw(sampler, levels, trajectory=kept, **given), whole, rtol=0, atol=1e-12)
    assert list(kept) == [5] and kept[5].shape == (20, 2)
    monkeypatch.setattr("refgen.samplers.steps.NOISE_BLOCK", 1)
    if sampler != "probability_flow":
        np.testing.assert_array_equal(draw(sampler, levels, rng=Stream, **given), whole)
    with pytest.raises(ValueError, match=r"^trajectory asks for t = 10; times lie in 0\.\.9"):
        draw(sampler, levels, trajectory={10: None}, **given)


@pytest.mark.parametrize(("sampler", "given", "calls"), WAYS)
def test_any_dimension_and_any_number_of_points(sampler, given, calls):
    levels = processes.VP().grid(5)
    for d in (1, 3):
        denoiser = ExactDenoiser(Gaussian(np.zeros(d), np.eye(d)))
        for n in (0, 1, 4):
            x = draw(sampler, levels, n, d, denoiser=denoiser, **given)
            assert x.shape == (n, d) and np.all(np.isfinite(x))


@pytest.mark.parametrize(("sampler", "given", "calls"), WAYS)
def test_float32_follows_float64(sampler, given, calls):
    for levels in grids(12, given):
        narrow, wide = (
            draw(sampler, levels, 100, dtype=dtype, **given) for dtype in (np.float32, np.float64)
        )
        # A point between two modes may fall to the other side; the rest differ by rounding.
        assert np.quantile(np.max(np.abs(narrow - wide), axis=1), 0.95) < 2e-3


@pytest.mark.parametrize(("sampler", "given", "calls"), [w for w in WAYS if "flow" not in w.id])
def test_schedules_and_ladders_are_levels_too(sampler, given, calls):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for T in (2, 3, 20):
            for levels in (schedule_named("cosine", T), schedule_named("linear", T), geometric(T, 8.0, 0.01)):
                for dtype in (np.float32, np.float64):
                    x = draw(sampler, levels, dtype=dtype, **given)
                    assert x.dtype == dtype and np.all(np.isfinite(x))
