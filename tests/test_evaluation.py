"""The evaluation calls the truth good and a wrong model bad, in numbers whose right values are known."""

import json
import math

import numpy as np
import pytest

from refgen import distributions
from refgen.backend import Stream
from refgen.commands.evaluating import report_lines
from refgen.denoisers import Denoiser, ExactDenoiser, OneLevelDenoiser
from refgen.evaluation import control_terms, evaluate, score_times
from refgen.ladders import Ladder
from refgen.models.ddpm import DDPM
from refgen.models.ebm import EBM
from refgen.models.score_net import ScoreNet
from refgen.samplers.ancestral import ancestral
from refgen.schedules import linear
from tests.direct import Direct

RING = distributions.named("ring").standardised()[0]


class Scaled(Denoiser):
    """The exact noise times a number."""

    def __init__(self, law, factor):
        self.exact, self.factor = ExactDenoiser(law), factor

    def eps(self, x, signal, std):
        return self.factor * self.exact.eps(x, signal, std)


class Model:
    """A model whose network is the exact denoiser, its noise scaled by `factor`."""

    variance, dim, log_prob_is = "large", 2, "bound"

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


class OneLevel:
    """A model of noisy data that is exact: it knows the law under its one level of noise, or another's."""

    of_noisy_data, dim, log_prob_is = True, 2, "exact"

    def __init__(self, law, std, learned=None):
        self.levels = Ladder([0.0, std])
        self.learned = law.diffused(1.0, std) if learned is None else learned

    def denoiser(self, params):
        return OneLevelDenoiser(self.learned.score, self.levels.level(1)[1])

    def calls(self):
        return 1

    def sample(self, params, n, rng, x_0=None, denoiser=None):
        return self.learned.sample(rng, n)

    def log_prob(self, params, x, rng, x_0=None):
        return self.learned.log_prob(x)


def test_a_model_of_noisy_data_is_compared_with_the_noisy_law():
    report = evaluate(OneLevel(RING, 0.5), None, RING, Stream(1), n=4000, control=False)
    assert report["noise"] == 0.5 and report["samples"]["times_floor"] < 1.5
    assert [(row["t"], row["std"]) for row in report["score"]] == [(1, 0.5)]
    assert report["score"][0]["relative_error"] < 1e-9
    noisy = RING.diffused(1.0, 0.5)
    assert report["nll"]["kind"] == "exact" and abs(report["nll"]["gap"]) < 1e-12
    assert report["nll"]["bound"] == pytest.approx(noisy.entropy) and noisy.entropy > RING.entropy + 0.3
    assert max(map(abs, report["modes"]["z"])) < 4.5
    text = "\n".join(report_lines(report))
    assert "the data under noise of std 0.5" in text and "entropy of the noisy data" in text
    assert "NLL (exact), nats" in text and "NLL minus entropy" in text and "bound minus" not in text
    # The clean law is not what such a model should have learned.
    clean = evaluate(OneLevel(RING, 0.5, RING), None, RING, Stream(1), n=4000, control=False)
    assert clean["samples"]["times_floor"] > 3 and clean["nll"]["gap"] > 0.1
    assert clean["score"][0]["relative_error"] > 0.5


class Stepped(Direct):
    """One whose density comes from an integrator, which says how far off it is."""

    def log_prob_error(self, params, x):
        return np.linspace(0.0, 0.04, len(x))


def test_an_integrators_error_is_told_beside_the_likelihood():
    law = distributions.Gaussian([0.0, 0.0], np.eye(2))
    report = evaluate(Stepped(), np.zeros(4, np.float32), law, Stream(1), n=101)
    assert report["nll"]["steps_error"] == pytest.approx({"mean": 0.02, "max": 0.04})
    assert any(
        line.split()[-4:] == ["mean", "2.0e-02,", "largest", "4.0e-02"] for line in report_lines(report)
    )
    plain = evaluate(Direct(), np.zeros(4, np.float32), law, Stream(1), n=101)
    assert "steps_error" not in plain["nll"]
    assert "error of its steps" not in "\n".join(report_lines(plain))


def test_the_control_of_a_one_level_model_is_its_sampler_on_the_exact_score():
    law = distributions.named("gaussian").standardised()[0]
    model = ScoreNet(std=0.5, chain=60, hidden=8, langevin_step=0.5, start=1.0)
    report = evaluate(model, model.init(Stream(0)), law, Stream(1), n=4000)
    assert report["control"]["times_floor"] < 1.5 < 3 < report["samples"]["times_floor"]
    assert 0.95 < report["score"][0]["relative_error"] <= 1 and "nll" not in report


def test_a_velocity_that_is_no_score_is_not_measured_as_one():
    class OfPairs(OneLevel):
        has_score = False

    report = evaluate(OfPairs(RING, 0.5), None, RING, Stream(1), n=1000)
    assert "score" not in report and "control" not in report and "nll" in report


def test_a_model_without_a_denoiser_has_no_score_and_no_control():
    law = distributions.Gaussian([0.0, 0.0], np.eye(2))
    truth, params = Direct(), np.zeros(4, np.float32)
    report = evaluate(truth, params, law, Stream(1), n=4000)
    assert "score" not in report and "control" not in report and report["noise"] == 0
    assert report["samples"]["times_floor"] < 1.5 and report["nll"]["kind"] == "exact"
    assert abs(report["nll"]["gap"]) < 1e-6 and report["nll"]["bound"] == pytest.approx(
        1 + math.log(2 * math.pi)
    )
    text = "\n".join(report_lines(report))
    assert "score error" not in text and "(control)" not in text and "NLL minus entropy" in text
    wrong = evaluate(Direct(shift=0.5), params + np.float32(0.2), law, Stream(1), n=4000)
    assert wrong["samples"]["times_floor"] > 3 and wrong["nll"]["gap"] > 0.02
    modes = evaluate(Direct(), params, RING, Stream(1), n=4000, control=False)["modes"]
    assert max(map(abs, modes["z"])) < 5  # round about the ring: each eighth has its share
    with pytest.raises(ValueError, match="control is True; it needs a model that samples with a denoiser"):
        evaluate(truth, params, law, Stream(1), n=100, control=True)


def test_modes_are_covered_where_points_lie_at_them_not_only_nearest():
    weights, means = [0.2] * 5, RING.means[:5]
    law = distributions.GaussianMixture(means, 1 / 400, weights)
    means = law.modes[0]

    def covered(learned):
        report = evaluate(OneLevel(law, 0.05, learned), None, law, Stream(1), n=2000, control=False)
        return report["modes"]["covered"], "\n".join(report_lines(report))

    assert covered(law.diffused(1.0, 0.05))[0] == [True] * 5
    lost = distributions.GaussianMixture(means, 1 / 400, [0.42, 0.42, 0.1, 0.03, 0.03])
    flags, text = covered(lost.diffused(1.0, 0.05))
    assert flags == [True, True, True, False, False] and "3 of 5 modes covered" in text
    between = distributions.GaussianMixture(0.7 * means, 1 / 400, weights)  # nearest to each, at none
    assert covered(between)[0] == [False] * 5


def test_wrong_weights_of_modes_are_shown():
    law = distributions.named("two_gaussians").standardised()[0]
    even = distributions.GaussianMixture(law.means, 1 / 17, [0.5, 0.5])
    report = evaluate(OneLevel(law, 0.05, even.diffused(1.0, 0.05)), None, law, Stream(1), n=2000)
    assert report["modes"]["fractions"][0] == pytest.approx(0.5, abs=0.05) and report["modes"]["z"][0] < -20
    assert "off by more than chance" in "\n".join(report_lines(report))


@pytest.mark.parametrize("model", [Model(RING), Model(RING, 0.3), OneLevel(RING, 0.05)])
def test_a_report_fits_100_columns(model):
    report = evaluate(model, None, RING, Stream(1), n=200)
    assert max(map(len, report_lines(report))) <= 100


def test_the_exact_denoiser_is_good():
    report = evaluate(Model(RING), None, RING, Stream(1), n=4000)
    assert report["samples"]["times_floor"] < 1.5 and report["control"]["times_floor"] < 1.5
    assert max(row["relative_error"] for row in report["score"]) < 1e-6
    assert report["nll"]["gap"] == pytest.approx(0.25) and report["nll"]["standard_error"] < 1e-12
    assert report["nll"]["bound"] == pytest.approx(RING.entropy + 0.25)
    assert report["nll"]["kind"] == "bound" and report["noise"] == 0
    assert max(map(abs, report["modes"]["z"])) < 4.5
    json.dumps(report, allow_nan=False)
    text = "\n".join(report_lines(report))
    assert "falls short" not in text and "NLL (upper bound), nats" in text and "bound minus entropy" in text
    assert "under noise" not in text


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
    assert control_terms(20, points, 50) == 20 * 50 * 40
    assert control_terms(20, distributions.named("checkerboard"), 50) == 20 * 50
    monkeypatch.setattr("refgen.evaluation.CONTROL_TERMS", 39_999)
    assert "control" not in evaluate(model, params, points, Stream(0), n=50, say=stages.append)
    left_out = (
        "no control, it would sum 4.0e+04 terms: 20 calls x 50 points x 40 components; --control runs it"
    )
    assert any(stage.startswith(left_out) for stage in stages)
    assert "control" in evaluate(model, params, points, Stream(0), n=50, control=True)
    monkeypatch.setattr("refgen.evaluation.CONTROL_TERMS", 40_000)
    assert "control" in evaluate(model, params, points, Stream(0), n=50)


def test_same_seed_same_report():
    reports = [evaluate(Model(RING), None, RING, Stream(5), n=200, control=False) for _ in range(2)]
    assert [report.pop("seconds") > 0 for report in reports] == [True, True]
    assert reports[0] == reports[1] and reports[0]["calls"] == 200
    assert "sampling: 200 evaluations of the network a point" in "\n".join(
        report_lines({**reports[0], "seconds": 1.0})
    )


@pytest.mark.parametrize("T", [1, 2, 3, 20, 1000, 4000])
def test_score_times_are_times_from_noisy_to_clean(T):
    times = score_times(T)
    assert times[0] == T and times[-1] >= 1 and times == sorted(set(times), reverse=True)


class Drawn:
    """Another sampler: points of a law, after a few questions to the denoiser."""

    about, independent = "guesses, 3 of them", False

    def __init__(self, law, denoiser):
        self.law, self.denoiser = law, denoiser

    def draw(self, denoiser, n, stream):
        for _ in range(3):
            denoiser.score(np.zeros((1, 2)), 1.0, 0.5)
        return self.law.sample(stream, n)


def test_another_sampler_is_judged_in_place_of_the_models_own():
    model, far = Model(RING), RING.diffused(1.0, 1.0)
    report = evaluate(model, None, RING, Stream(1), n=500, by=Drawn(far, model.denoiser(None)), density=False)
    assert report["samples"]["times_floor"] > 3 and report["control"]["times_floor"] > 3
    assert report["calls"] == 3 and not report["modes"]["independent"]
    own = evaluate(model, None, RING, Stream(1), n=500, density=False)
    assert own["samples"]["times_floor"] < 1.5 and own["sampler"] == "the model's own sampler"
    assert own["score"] == report["score"] and own["floor"] == report["floor"]


def test_too_few_points_and_samples_that_are_not_finite():
    with pytest.raises(ValueError, match="n is 1; it must be >= 2"):
        evaluate(Model(RING), None, RING, Stream(0), n=1)
    with pytest.raises(ValueError, match="not finite"):
        evaluate(Model(RING, factor=np.nan), None, RING, Stream(0), n=10)


def test_an_energy_whose_constant_is_out_of_reach_is_measured_without_a_likelihood():
    law = distributions.Gaussian(np.zeros(3), np.eye(3))
    model, said = EBM(dim=3, hidden=4, layers=1, stages=5), []
    params = model.init(Stream(0))
    report = evaluate(model, params, law, Stream(1), n=200, say=said.append)
    assert "nll" not in report and report["samples"]["times_floor"] > 0 and report["score"]
    assert any("3 dimensions" in line for line in said)
