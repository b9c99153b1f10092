"""The probability flow in time: against the exact map on a line, by order, and on the truth."""

import numpy as np
import pytest

from refgen import processes
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.derivations import exact_flow, line
from refgen.distributions import GaussianMixture
from refgen.ladders import geometric
from refgen.samplers.probability_flow import METHODS, probability_flow
from refgen.schedules import linear
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

LAW = exact_flow.LAW
ON_A_LINE = ExactDenoiser(GaussianMixture(LAW.means[:, None], LAW.stds[:, None, None] ** 2, LAW.weights))


def errors(levels, **given):
    """How far from the exact quantiles at level 1 those at level T are taken."""
    start, end = (exact_flow.quantiles(line.noisy(LAW, *levels.level(k))) for k in (levels.T, 1))
    kept = {1: None}
    probability_flow(ON_A_LINE, levels, start[:, None], trajectory=kept, **given)
    return kept[1][:, 0] - end


@pytest.mark.parametrize("name", processes.NAMES)
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_order_against_the_exact_flow(name, method, order):
    process = processes.named(name)
    ends = process.time(5.0), process.time(-2.5)
    spacing = "log_snr" if name == "edm" else "time"
    counts = (80, 160, 320) if method == "euler" else (40, 80)

    def error(count):
        return errors(process.grid(count + 1, spacing, *ends), method=method)

    assert exact_flow.order(counts, error) == pytest.approx(order, abs={1: 0.2, 2: 0.3, 4: 0.4}[order])


@pytest.mark.parametrize("name", processes.NAMES)
def test_rk45_is_as_exact_as_asked_for(name):
    process = processes.named(name)
    levels = process.grid(3, "log_snr", process.time(5.0), process.time(-2.5))
    off = [np.max(np.abs(errors(levels, method="rk45", rtol=tol, atol=tol))) for tol in (1e-3, 1e-9)]
    assert off[0] < 0.02
    assert off[1] < 1e-7


def test_rk45_takes_more_calls_for_a_smaller_tolerance_and_knows_the_levels_between():
    levels, calls = processes.VP().grid(6), []
    x_T, kept = Stream(0).normal(50, 2), dict.fromkeys([6, 4, 2, 1])
    for tol in (1e-3, 1e-5, 1e-7):
        denoiser = counted(EXACT)
        probability_flow(denoiser, levels, x_T, method="rk45", rtol=tol, atol=tol, trajectory=kept)
        calls.append(denoiser.calls)
    assert 20 < calls[0] < calls[1] < calls[2]
    fine = processes.VP().grid(201)
    times = np.unique(np.concatenate([levels.times, fine.times]))
    grid = processes.Grid(levels.process, times)
    exact = {int(np.searchsorted(times, levels.times[k])): k for k in (4, 2, 1)}
    wanted = dict.fromkeys(exact)
    probability_flow(EXACT, grid, x_T, method="rk4", trajectory=wanted)
    for index, k in exact.items():
        np.testing.assert_allclose(kept[k], wanted[index], rtol=0, atol=1e-4)
    assert kept[6] is x_T


class TooWeak(ExactDenoiser):
    """A score that is a fifth too small."""

    def score(self, x, signal, std):
        return 0.8 * super().score(x, signal, std)


@pytest.mark.parametrize("method", METHODS[1:])
def test_the_exact_score_reproduces_the_mixture(method):
    levels, x_T = processes.VP().grid(40), Stream(11).normal(COUNT, 2)
    assert surprise(probability_flow(EXACT, levels, x_T, method=method), MIXTURE) < LIMIT
    assert surprise(probability_flow(TooWeak(MIXTURE), levels, x_T, method=method), MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize(
    ("levels", "wrong", "message"),
    [
        (linear(1000), {}, r"levels is a Schedule; this flow needs a Grid"),
        (geometric(3, 8.0, 0.1), {}, r"levels is a Ladder; this flow needs a Grid"),
        (None, dict(method="rk5"), r"method is 'rk5'; it must be one of euler, heun, rk4, rk45"),
        (None, dict(rtol=0.0), r"rtol is 0\.0, atol 1e-05; both must be > 0"),
    ],
)
def test_bad_arguments_are_named(levels, wrong, message):
    levels = processes.VP().grid(3) if levels is None else levels
    with pytest.raises(ValueError, match=f"^{message}"):
        probability_flow(EXACT, levels, np.zeros((3, 2)), **wrong)
