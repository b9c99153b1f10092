"""One law at each level of noise: routes that have it, routes that are wrong, moments, the whole run."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.experiments import same_marginals
from refgen.experiments.outcome import surprises
from refgen.experiments.same_marginals import NOISE, ROUTES, SDE_VE, SDE_VP, WRONG, Route
from refgen.metrics import directions

LINES = directions(2, 32, Stream(0))


@pytest.mark.parametrize("name", [*ROUTES, *WRONG])
def test_routes_have_the_exact_laws_and_wrong_ones_have_not(name):
    found = same_marginals.marginals((ROUTES | WRONG)[name], 1000, LINES, Stream(1), 120)
    assert [points.shape for points, _ in found] == [(1000, 2)] * len(NOISE)
    distances = np.array([distance for _, distance in found])
    if name in ROUTES:
        assert np.all(distances < 1.9)
    else:
        assert np.max(distances) > 8


@pytest.mark.parametrize("name", ROUTES)
def test_levels_are_those_of_the_noise_asked_for(name):
    noise = same_marginals.noise_of(ROUTES[name].levels(500))
    nearest = [np.min(np.abs(noise - one)) for one in NOISE]
    assert np.max(nearest) < 0.02 and noise[0] == 0 and np.all(np.diff(noise) > 0)


def test_points_are_at_unit_power():
    def drawn(denoiser, levels, x_T, rng, trajectory):
        law = denoiser.denoiser.distribution
        for k in trajectory:
            trajectory[k] = law.diffused(*levels.level(k)).sample(rng, len(x_T))

    found = same_marginals.marginals(Route(ROUTES[SDE_VE].levels, drawn), 4000, LINES, Stream(1))
    for points, distance in found:
        assert np.var(points, axis=0) == pytest.approx([1, 1], abs=0.1)
        assert distance < 1.5


def test_half_a_score_is_half_and_x_0_is_what_it_was():
    denoiser, x = ExactDenoiser(same_marginals.LAW), Stream(2).normal(5, 2)
    half = same_marginals._Scaled(denoiser, 0.5)
    np.testing.assert_array_equal(half.score(x, 0.6, 0.8), denoiser.score(x, 0.6, 0.8) / 2)
    np.testing.assert_array_equal(half.x_0(x, 0.6, 0.8), denoiser.x_0(x, 0.6, 0.8))
    np.testing.assert_array_equal(half.eps(x, 0.6, 0.8), denoiser.eps(x, 0.6, 0.8))


def test_moments_of_a_gaussian_are_those_of_its_law_with_small_steps_only():
    def largest(steps):
        rows = same_marginals.gaussian_moments(20_000, Stream(3), steps)
        return max(abs(row[key]) for row in rows for key in ("z_mean", "z_var"))

    assert largest(600) < 4 < largest(60)


def test_a_corrector_takes_off_some_of_the_error_of_large_steps():
    gain = same_marginals.corrected(SDE_VP, 20, 6000, LINES, Stream(4), seeds=2)
    assert gain["twice the steps"] < gain["corrector"] < gain["predictor"]


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(same_marginals.run(Stream(0), lambda *stage: None))
