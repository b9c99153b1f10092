"""What is asked of samplers that follow the flow: the exact flow on a line, and levels of every kind."""

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.derivations import exact_flow, line
from refgen.distributions import GaussianMixture
from refgen.ladders import geometric
from refgen.processes import named as process
from refgen.schedules import from_log_snr, linear

__all__ = ["LEVELS", "LINE", "SPACE", "in_other_units", "order", "walks"]

LINE = GaussianMixture(
    exact_flow.LAW.means[:, None], exact_flow.LAW.stds[:, None, None] ** 2, exact_flow.LAW.weights
)
SPACE = GaussianMixture([[-1.1, -0.4, 0.3], [0.7, 1.2, -0.5]], 0.07, [0.4, 0.6])
LEVELS = {
    "schedule": linear(1000),
    "ladder": geometric(60, 20.0, 0.02),
    **{name: process(name).grid(60) for name in ("vp", "sub-vp", "cosine", "edm", "straight")},
}


def uneven(T):
    """T levels of unit power whose steps in log-SNR are short and long in turn."""
    k = np.arange(T)
    return from_log_snr(5.0 - 15.0 * (k - k % 2 / 3) / (T - 1))


def order(sampler, counts, **options):
    """The order at which the error at level 1 falls with the number of steps, against the exact flow."""

    def errors(count):
        levels, kept = uneven(count + 1), {1: None}
        laws = (line.noisy(exact_flow.LAW, *levels.level(k)) for k in (levels.T, 1))
        start, end = (exact_flow.quantiles(law)[:, None] for law in laws)
        sampler(ExactDenoiser(LINE), levels, start, Stream(0), trajectory=kept, **options)
        return kept[1] - end

    return exact_flow.order(counts, errors)


def walks(sampler, levels, T, dtype, law=SPACE, n=20, far=4, **options):
    """A run in T steps: what came out, the levels on the way, and the calls, after what holds of any."""
    levels, denoiser = levels.respaced(T), counted(ExactDenoiser(law))
    kept = dict.fromkeys(range(T + 1))
    x_T = float(levels.std[-1]) * Stream(1).normal(n, law.dim, dtype=dtype)
    x_0 = sampler(denoiser, levels, x_T, Stream(2), trajectory=kept, **options)
    assert x_0.dtype == dtype
    assert x_0.shape == (n, law.dim)
    assert all(x.dtype == dtype and np.all(np.isfinite(x)) for x in kept.values())
    assert np.max(np.abs(x_0), initial=0) < far
    np.testing.assert_allclose(x_0, kept[0], rtol=0, atol=0)
    np.testing.assert_allclose(x_T, kept[T], rtol=1e-6)
    last = ExactDenoiser(law).x_0(kept[1], *levels.level(1))
    np.testing.assert_allclose(x_0, last, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-12)
    return x_0, kept, denoiser.calls


def in_other_units(sampler, **options):
    """The largest difference between a walk down a ladder and one at unit power, at the same log-SNRs."""
    ladder = LEVELS["ladder"].respaced(15)
    schedule = from_log_snr(ladder.log_snr)
    x_T = Stream(3).normal(30, 3)
    ends = [
        sampler(ExactDenoiser(SPACE), levels, x_T * scale, Stream(4), **options)
        for levels, scale in ((schedule, 1.0), (ladder, np.hypot(1, ladder.std[-1])))
    ]
    return np.max(np.abs(ends[0] - ends[1]))
