"""Log-densities by the probability flow: against exact laws, for any denoiser and process; their uses."""

import math

import autograd.numpy as anp
import numpy as np
import pytest
from scipy.special import erf

from refgen import processes
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, LearnedDenoiser, counted
from refgen.distributions import Gaussian, GaussianMixture, named
from refgen.formulas import likelihood as formulas
from refgen.formulas.gaussian import kl_gaussian
from refgen.ladders import geometric
from refgen.likelihood import bits_per_dimension, calls, log_prob, prior_gap
from refgen.metrics import auc
from refgen.models.ddpm import DDPM
from refgen.schedules import cosine

LAW = GaussianMixture([[-1.0, 0.5], [1.0, 0.0]], [0.2, 0.3], [1, 2])
EXACT = ExactDenoiser(LAW)
PROCESSES = [processes.named(name) for name in processes.NAMES]
PROCESSES += [processes.through(cosine(1000)), processes.through(geometric(10, 10.0, 0.05))]


def truth(process, x, law=LAW):
    """The density of the data under the noise of t_min."""
    signal, std = process.level(process.t_min)
    return law.diffused(1.0, std / signal).log_prob(x)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_it_is_the_exact_log_density_and_tells_its_error(process):
    x = np.concatenate([LAW.sample(Stream(0), 6), [[2.0, 2.0], [-0.2, 0.1]]])
    found, error = log_prob(EXACT, process, x, prior="exact", steps=48)
    off = np.abs(found - truth(process, x))
    assert found.shape == error.shape == (8,)
    assert np.max(off) < 3e-3
    assert np.mean(off) / 3 < np.mean(error) < 3 * np.mean(off)


def test_by_800_of_heuns_steps_it_is_right_to_two_thousandths():
    law, process = GaussianMixture([[-1.0], [1.0]], 0.1, [1, 2]), processes.VP()
    x = np.linspace(-2, 2, 9)[:, None]
    found, error = log_prob(ExactDenoiser(law), process, x, prior="exact", steps=800, method="heun")
    off = np.abs(found - truth(process, x, law))
    assert np.max(off) < 2e-3
    assert np.max(error) == pytest.approx(np.max(off), rel=0.2)


def test_the_prior_that_stands_in_is_as_far_off_as_is_said():
    """Of Gaussian data: the mean of how far the two differ, over data, is the divergence of the priors."""
    mean, cov = np.array([0.4, -0.3]), np.array([[1.0, 0.3], [0.3, 0.5]])
    law, process = Gaussian(mean, cov), processes.VE(0.05, 2.0)
    gap = prior_gap(law, process)
    assert gap == pytest.approx(kl_gaussian(mean, cov + 4 * np.eye(2), np.zeros(2), 4 * np.eye(2)), rel=1e-9)
    x = law.diffused(*process.level(process.t_min)).sample(Stream(1), 2000)
    by_exact, by_noise = (
        log_prob(ExactDenoiser(law), process, x, prior=prior, steps=16)[0] for prior in ("exact", "gaussian")
    )
    off = by_exact - by_noise
    assert abs(np.mean(off) - gap) < 4 * np.std(off) / np.sqrt(2000) < 0.7 * gap
    assert prior_gap(LAW, processes.VP()) < 1e-4


def test_the_estimated_trace_is_right_in_the_mean():
    x = np.repeat([[0.1, 0.2]], 2000, axis=0)
    options = dict(steps=8, prior="exact")
    exact = log_prob(EXACT, PROCESSES[1], x[:1], **options)[0][0]
    once, four = (
        log_prob(EXACT, PROCESSES[1], x, Stream(2), trace="hutchinson", draws=draws, **options)[0]
        for draws in (1, 4)
    )
    assert np.std(once) > 0.05
    assert abs(np.mean(once) - exact) < 4 * np.std(once) / np.sqrt(2000)
    assert np.std(four) == pytest.approx(np.std(once) / 2, rel=0.1)
    again = log_prob(EXACT, PROCESSES[1], x, Stream(2), trace="hutchinson", batch=300, **options)[0]
    np.testing.assert_allclose(again, once, atol=1e-12)


def some_network(x, log_snr):
    """A network that no law has trained: its flow still carries a density."""
    return x - 0.7 * anp.tanh(2 * x[:, ::-1] + 0.3) / (1 + anp.exp(-0.5 * log_snr))


def test_the_density_of_any_denoiser_has_mass_one():
    line = np.linspace(-6, 6, 61)
    x = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    found, error = log_prob(LearnedDenoiser(some_network), processes.VP(), x, steps=24)
    assert np.sum(np.exp(found)) * (line[1] - line[0]) ** 2 == pytest.approx(1, abs=2e-3)
    assert np.std(found[np.abs(x).max(axis=1) < 1]) > 0.3
    assert np.mean(error) < 0.05


@pytest.mark.parametrize("process", [processes.VP(), processes.EDM(0.01, 30.0)], ids=["vp", "edm"])
def test_a_network_answers_in_its_own_precision(process):
    """The best linear denoiser of N(0, 0.25 I), as a network for eps at unit power."""

    def predict(x, log_snr):
        signal2 = 1 / (1 + math.exp(-log_snr))
        return x * (1 - signal2) ** 0.5 / (0.25 * signal2 + 1 - signal2)

    x = Stream(3).normal(5, 3, dtype=np.float32)
    found, error = log_prob(LearnedDenoiser(predict), process, x)
    assert found.dtype == error.dtype == np.float32
    signal, std = process.level(process.t_min)
    exact = Gaussian(np.zeros(3), (0.25 + (std / signal) ** 2) * np.eye(3)).log_prob(x)
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=2e-3)


def test_a_trained_kind_of_network_and_no_points_at_all():
    model = DDPM(T=100, hidden=8, layers=1, features=4)
    denoiser = counted(model.denoiser(model.init(Stream(0))))
    process = processes.through(model.levels)
    for n in (3, 0):
        x = Stream(1).normal(n, 2, dtype=np.float32)
        found, error = log_prob(denoiser, process, x, steps=5)
        assert found.shape == error.shape == (n,)
        assert np.all(np.isfinite(found))
    assert denoiser.calls == 2 * calls(5)
    assert calls(800, "heun") == 2400


def test_batches_change_nothing():
    x = LAW.sample(Stream(4), 7)
    whole, parts = (log_prob(EXACT, processes.VP(), x, steps=8, batch=batch) for batch in (100, 3))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


# ---- what it is for
def test_outliers_are_told_as_well_as_by_the_exact_density():
    law = named("ring").standardised()[0]
    process = processes.VP()
    data, plane = law.sample(Stream(5), 300), 4.4 * Stream(6).uniform(3000, 2) - 2.2
    least = np.quantile(law.log_prob(law.sample(Stream(7), 20_000)), 0.001)
    outliers = plane[law.log_prob(plane) < least][:300]
    by_flow = [log_prob(ExactDenoiser(law), process, x, steps=24)[0] for x in (data, outliers)]
    exact = [truth(process, x, law) for x in (data, outliers)]
    assert auc(*by_flow) >= 0.95
    assert abs(auc(*by_flow) - auc(*exact)) < 1e-3
    # A broad Gaussian of the same moments does not tell them.
    blind = [Gaussian(law.mean, law.cov).log_prob(x) for x in (data, outliers)]
    assert auc(*blind) < 0.9


def test_the_code_is_as_long_as_the_entropy():
    """Data rounded to bins, sent by a code of the flow's density: within a hundredth."""
    law, width, process = GaussianMixture([[-1.0], [1.0]], 0.16, [1, 2]), 0.1, processes.VP()
    centres = width * np.arange(-40, 41)[:, None]
    x = width * np.round(law.sample(Stream(8), 4000) / width)
    found = log_prob(ExactDenoiser(law), process, centres, steps=24)[0]
    bits = bits_per_dimension(found, centres, width)
    sent = bits[np.round(x[:, 0] / width).astype(int) + 40]
    masses = np.diff([
        sum(w * (1 + erf((edge - m) / np.sqrt(0.32))) / 2 for w, m in ((1 / 3, -1), (2 / 3, 1)))
        for edge in width * (np.arange(-40, 42) - 0.5)
    ])  # fmt: skip
    entropy = -np.sum(masses * np.log2(masses))
    assert masses @ bits == pytest.approx(entropy, rel=1e-3)
    assert np.mean(sent) == pytest.approx(entropy, rel=0.01)
    np.testing.assert_allclose(bits, formulas.code_length(found, width, 1))


def test_only_discrete_data_have_bits_per_dimension():
    x = 0.25 * Stream(9).integers(0, 9, 20, 3) - 0.1
    log_prob_of = Stream(10).normal(20)
    bits = bits_per_dimension(log_prob_of, x, 0.25)
    np.testing.assert_allclose(3 * bits * np.log(2), -(log_prob_of + 3 * np.log(0.25)))
    bits_per_dimension(log_prob_of.astype(np.float32), x.astype(np.float32), 0.25)
    with pytest.raises(
        ValueError, match=r"^x is not discrete: its coordinates are no multiples of width 0\.2"
    ):
        bits_per_dimension(log_prob_of, Stream(11).normal(20, 3), 0.25)
    with pytest.raises(ValueError, match=r"^x is not discrete"):
        bits_per_dimension(log_prob_of, np.where(x == x[3, 1], np.nan, x), 0.25)
    with pytest.raises(ValueError, match="width is 0"):
        bits_per_dimension(log_prob_of, x, 0.0)
    with pytest.raises(ValueError, match=r"x has shape \(20,\)"):
        bits_per_dimension(log_prob_of, x[:, 0], 0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(trace="both"), "trace is 'both'; it must be one of exact, hutchinson"),
        (dict(method="euler"), "method is 'euler'; it must be one of rk4, heun"),
        (dict(prior="flat"), "prior is 'flat'; it must be one of gaussian, exact"),
        (dict(steps=1), "steps is 1; it must be an integer >= 2"),
        (dict(draws=0), "draws is 0; it must be an integer >= 1"),
        (dict(batch=0.5), "batch is 0.5; it must be an integer >= 1"),
        (dict(trace="hutchinson"), "rng is None; trace 'hutchinson' draws its directions from one"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        log_prob(EXACT, processes.VP(), np.zeros((1, 2)), **options)
    with pytest.raises(ValueError, match=r"^process is a Grid; it must be a Process"):
        log_prob(EXACT, processes.VP().grid(3), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"^x has shape \(2,\); it must be \(n, d\)"):
        log_prob(EXACT, processes.VP(), np.zeros(2))
    with pytest.raises(ValueError, match=r"^method is 'euler'; it must be one of rk4, heun"):
        calls(method="euler")
    with pytest.raises(ValueError, match="has no density"):
        log_prob(LearnedDenoiser(some_network), processes.VP(), np.zeros((1, 2)), prior="exact", steps=2)
