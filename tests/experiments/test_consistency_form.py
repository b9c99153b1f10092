import numpy as np
import pytest

from refgen.derivations.gaussian_chain import consistency_elbo_with_kl
from refgen.experiments import consistency_form
from refgen.formulas import gaussian_chain


def test_every_number_holds_and_the_printed_form_does_not():
    found = consistency_form.numbers()
    assert all(n.holds for group in found.values() for n in group)
    gaussian, discrete, learned = ({n.what: n.measured for n in group} for group in found.values())
    assert gaussian["the ELBO, from the joint Gaussians"] == pytest.approx(-1.418939, abs=1e-6)
    assert gaussian["consistency form, as printed"] == pytest.approx(-2.285605, abs=1e-6)
    assert gaussian["what the printed form lacks, linear T = 1000"] > 980  # almost a nat a step
    assert discrete["consistency form, as printed"] < discrete["consistency form, mended"] - 0.2
    assert learned["slope that maximises the mended form"] == pytest.approx(0.8367, abs=1e-4)
    assert learned["slope that maximises the printed form"] == pytest.approx(0.7530, abs=1e-4)


def test_a_number_that_is_off_does_not_hold():
    assert consistency_form.Number("", 1.0, 1.0 + 1e-12).holds
    assert not consistency_form.Number("", 1.0, 1.0001).holds


def test_closed_form_of_the_excess_on_any_chain():
    rng = np.random.default_rng(0)
    for T in (2, 4, 7):
        model = dict(x_0=rng.normal(size=1), alpha=rng.uniform(0.3, 0.9, T), slope=rng.normal(size=T))
        model |= dict(offset=rng.normal(size=T), var=rng.uniform(0.1, 1, T))
        lost = gaussian_chain.consistency_elbo(**model) - consistency_elbo_with_kl(**model)
        assert float(lost) == pytest.approx(consistency_form.excess(**model), rel=1e-10)


def test_variances_are_exact_and_neither_estimator_always_wins():
    model = consistency_form.perfect_model(consistency_form.ALPHA)
    log_ratio, denoising = consistency_form.estimator_variances(**model)
    assert log_ratio < 1e-12 < denoising
    wide = model | dict(var=2 * model["var"])
    log_ratio, denoising = consistency_form.estimator_variances(**wide)
    assert denoising < log_ratio
    # The same two variances by Monte Carlo, in five standard errors.
    n, rng, alpha = 200_000, np.random.default_rng(1), consistency_form.ALPHA
    x = np.empty((n, 4))
    x[:, 0] = 1.0
    for t in range(1, 4):
        x[:, t] = np.sqrt(alpha[t - 1]) * x[:, t - 1] + np.sqrt(1 - alpha[t - 1]) * rng.normal(size=n)
    ratio = 0.5 * x[:, 3] ** 2
    for t in range(1, 4):
        ratio -= (x[:, t] - np.sqrt(alpha[t - 1]) * x[:, t - 1]) ** 2 / (2 * (1 - alpha[t - 1]))
        ratio += (x[:, t - 1] - wide["slope"][t - 1] * x[:, t]) ** 2 / (2 * wide["var"][t - 1])
    square = (ratio - ratio.mean()) ** 2
    assert abs(square.mean() - log_ratio) < 5 * square.std() / np.sqrt(n)


def test_lines_fit_the_terminal():
    text = consistency_form.lines()
    assert all(len(line) <= 100 for line in text)
    assert sum(line.endswith("holds") for line in text) == 12
    assert not any("FAILS" in line for line in text)
