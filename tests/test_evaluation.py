"""The evaluation calls the truth good and a wrong model bad, in numbers whose right values are known."""

import json
import math

import numpy as np
import pytest

from refgen import distributions
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.evaluation import control_terms, evaluate, report_lines, score_times
from refgen.models.ddpm import DDPM
from refgen.samplers.ancestral import ancestral
from refgen.schedules import linear

RING = distributions.named("ring").standardised()[0]


class Scaled(Denoiser):
    """The exact noise times a number."""

    def __init__(self, law, factor):
        self.exact, self.factor = ExactDenoiser(law), factor

    def eps(self, x, signal, std):
        return self.factor * self.exact.eps(x, signal, std)


class Model:
    """A model whose network is the exact denoiser, its noise scaled by `factor`."""

    variance, dim = "large", 2

    def __init__(self, law, factor=1.0, T=200):
        self.law, self.factor, self.levels = law, factor, linear(1000).respaced(T)

    def denoiser(self, params):
        return Scaled(self.law, self.factor)

    def calls(self):
        return self.levels.T

    def sample(self, params, n, rng, x_0=None, denoiser=None):
        denoiser = denoiser or self.denoiser(params)
        return ancestral(denoiser, self.levels, rng.normal(n, 2), rng, self.variance)

    def log_prob(self, params, x, rng, x_0=None):
        return self.law.log_prob(x) - 0.25  # a bound that is a quarter nat too low


def test_the_exact_denoiser_is_good():
    report = evaluate(Model(RING), None, RING, Stream(1), n=4000)
    assert report["samples"]["times_floor"] < 1.5 and report["control"]["times_floor"] < 1.5
    assert max(row["relative_error"] for row in report["score"]) < 1e-6
    assert report["nll"]["gap"] == pytest.approx(0.25) and report["nll"]["standard_error"] < 1e-12
    assert report["nll"]["bound"] == pytest.approx(RING.entropy + 0.25)
    assert max(map(abs, report["modes"]["z"])) < 4.5
    json.dumps(report, allow_nan=False)
    assert "falls short" not in "\n".join(report_lines(report))


def test_a_wrong_denoiser_falls_short():
    report = evaluate(Model(RING, factor=0.3), None, RING, Stream(1), n=2000, control=False, density=False)
    assert report["samples"]["times_floor"] > 3
    assert all(row["relative_error"] == pytest.approx(0.7) for row in report["score"])
    assert "falls short" in "\n".join(report_lines(report))
    assert "control" not in report and "nll" not in report


def test_a_law_of_points_has_a_bound_and_no_floor():
    points = distributions.Empirical(RING.sample(Stream(0), 200))
    model = DDPM(T=20)
    report = evaluate(model, model.init(Stream(0)), points, Stream(2), n=100)
    assert report["nll"]["gap"] is None and math.isfinite(report["nll"]["bound"])
    assert "entropy" not in "\n".join(report_lines(report))
    json.dumps(report, allow_nan=False)


def test_one_point_and_a_constant_column():
    model = DDPM(T=20, hidden=8)
    params = model.init(Stream(0))
    for points in ([[0.0, 0.0]], [[1.0, 2.0]] * 5):
        with pytest.raises(ValueError, match=r"exact samples do not differ .*: the sampling floor is 0"):
            evaluate(model, params, distributions.Empirical(points), Stream(0), n=50)
    flat = distributions.Empirical([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]).standardised()[0]
    assert evaluate(model, params, flat, Stream(0), n=50)["samples"]["times_floor"] > 0


def test_a_control_of_many_terms_is_left_out_and_said_to_be(monkeypatch):
    points = distributions.Empirical(RING.sample(Stream(0), 40))
    model, stages = DDPM(T=20, hidden=8), []
    params = model.init(Stream(0))
    assert control_terms(model, points, 50) == 20 * 50 * 40
    assert control_terms(model, distributions.named("checkerboard"), 50) == 20 * 50
    monkeypatch.setattr("refgen.evaluation.CONTROL_TERMS", 39_999)
    assert "control" not in evaluate(model, params, points, Stream(0), n=50, say=stages.append)
    left_out = (
        "no control, it would sum 4.0e+04 terms: 20 steps x 50 points x 40 components; --control runs it"
    )
    assert any(stage.startswith(left_out) for stage in stages)
    assert "control" in evaluate(model, params, points, Stream(0), n=50, control=True)
    monkeypatch.setattr("refgen.evaluation.CONTROL_TERMS", 40_000)
    assert "control" in evaluate(model, params, points, Stream(0), n=50)


def test_same_seed_same_report():
    reports = [evaluate(Model(RING), None, RING, Stream(5), n=200, control=False) for _ in range(2)]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("T", [1, 2, 3, 20, 1000, 4000])
def test_score_times_are_times_from_noisy_to_clean(T):
    times = score_times(T)
    assert times[0] == T and times[-1] >= 1 and times == sorted(set(times), reverse=True)


def test_too_few_points_and_samples_that_are_not_finite():
    with pytest.raises(ValueError, match="n is 1; it must be >= 2"):
        evaluate(Model(RING), None, RING, Stream(0), n=1)
    with pytest.raises(ValueError, match="not finite"):
        evaluate(Model(RING, factor=np.nan), None, RING, Stream(0), n=10)
