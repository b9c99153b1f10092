"""Guided denoisers: the ends of the scale to the bit, two ways that agree, and where the samples end."""

import numpy as np
import pytest
from autograd import elementwise_grad

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import Gaussian, GaussianMixture
from refgen.distributions.labelled import Labelled
from refgen.formulas.guidance import guided_chain_var, guided_flow_var, tilted_var
from refgen.guidance import guided, with_classifier
from refgen.samplers.ancestral import ancestral, step_variances
from refgen.samplers.ddim import ddim
from refgen.schedules import linear

ANSWERS = ("eps", "x_0", "score", "v")
LEVELS = [(0.8, 0.6), (0.05, 0.99875), (0.9999, 0.0141), (1.0, 3.0)]


def law(d=2):
    means = np.stack([np.linspace(-1, 1, d) + k for k in (-1.5, 0.0, 1.0)])
    return Labelled(GaussianMixture(means, 0.3, [1, 2, 3]), [0, 1, 0])


def pair(labels, c=0):
    return ExactDenoiser(labels.conditional(c)), ExactDenoiser(labels.law)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("signal", "std"), LEVELS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_ends_are_exact_and_the_two_ways_agree(answer, signal, std, d):
    labels, x = law(d), Stream(0).normal(30, d)
    conditional, unconditional = pair(labels)

    def ask(denoiser):
        return getattr(denoiser, answer)(x, signal, std)

    assert np.array_equal(ask(guided(conditional, unconditional, 1)), ask(conditional))
    assert np.array_equal(ask(guided(conditional, unconditional, 0)), ask(unconditional))
    classifier = labels.classifier(0)
    assert np.array_equal(ask(with_classifier(unconditional, classifier, 0)), ask(unconditional))
    for s in (0.5, 1.0, 3.0):
        a, b = ask(guided(conditional, unconditional, s)), ask(with_classifier(unconditional, classifier, s))
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    assert not np.allclose(ask(guided(conditional, unconditional, 2.0)), ask(conditional), rtol=1e-3)


def test_the_score_is_the_slope_of_the_log_density():
    labels, x = law(), Stream(1).normal(20, 2)
    for denoiser in (guided(*pair(labels), 2.5), with_classifier(pair(labels)[1], labels.classifier(0), 2.5)):
        assert denoiser.has_density
        slope = elementwise_grad(lambda x, d=denoiser: d.log_prob(x, 0.8, 0.6))(x)
        np.testing.assert_allclose(denoiser.score(x, 0.8, 0.6), slope, rtol=1e-9, atol=1e-9)


def ends(denoiser, T):
    """Variances of the flow and of the ancestral chain with T steps, exactly: they are linear."""
    levels, start = linear(T), np.array([[1.0]])
    flow = float(ddim(denoiser, levels, start, Stream(0))[0, 0]) ** 2
    means = dict.fromkeys(range(T + 1))
    ancestral(denoiser, levels, start, Stream(0), np.zeros(T + 1), means)  # without noise
    path = np.array([means[t][0, 0] for t in range(T + 1)])
    fresh = np.where(np.arange(T + 1) > 1, step_variances(levels, "small"), 0.0)
    return flow, path[0] ** 2 + np.sum(fresh[1:] * (path[0] / path[:-1]) ** 2)


@pytest.mark.parametrize(("var", "var_c"), [(1.0, 0.5), (1.0, 0.3), (0.5, 1.0)])
@pytest.mark.parametrize("s", [1.0, 2.0])
def test_guided_samplers_end_in_the_laws_of_the_cards_and_not_in_the_tilted_one(var, var_c, s):
    """An error of the order of a step, which is extrapolated away."""
    denoiser = guided(ExactDenoiser(Gaussian([0.0], [[var_c]])), ExactDenoiser(Gaussian([0.0], [[var]])), s)
    coarse, fine = np.array(ends(denoiser, 500)), np.array(ends(denoiser, 1000))
    expected = np.array([guided_flow_var(var, var_c, s), guided_chain_var(var, var_c, s)])
    np.testing.assert_allclose(2 * fine - coarse, expected, rtol=3e-3)
    off = (coarse - expected) / (fine - expected)
    assert np.all((off > 1.6) & (off < 2.5)), off
    if s > 1 and var_c < var:
        assert np.all(fine < 0.95 * tilted_var(var, var_c, s))


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_few_steps_precision_and_no_points(steps, dtype):
    labels = law(3)
    levels = linear(1000).respaced(steps)
    for denoiser in (guided(*pair(labels), 3.0), with_classifier(pair(labels)[1], labels.classifier(1), 3.0)):
        for n in (0, 5):
            x = ancestral(denoiser, levels, Stream(0).normal(n, 3, dtype=dtype), Stream(1))
            assert x.shape == (n, 3) and x.dtype == dtype and np.all(np.isfinite(x))


def test_calls_are_those_that_count():
    labels = law()
    x = Stream(0).normal(4, 2)
    for s, calls in [(0.0, (0, 1)), (1.0, (1, 0)), (2.0, (1, 1))]:
        parts = [counted(part) for part in pair(labels)]
        guided(*parts, s).x_0(x, 0.8, 0.6)
        assert tuple(part.calls for part in parts) == calls


def test_a_level_for_each_point():
    labels, x = law(), Stream(0).normal(3, 2)
    std = np.array([[0.1], [0.5], [0.9]])
    signal = np.sqrt(1 - std**2)
    found = guided(*pair(labels), 2.0).eps(x, signal, std)
    for k in range(3):
        one = guided(*pair(labels), 2.0).eps(x[k : k + 1], float(signal[k, 0]), float(std[k, 0]))
        np.testing.assert_allclose(found[k : k + 1], one, rtol=1e-12)


@pytest.mark.parametrize("s", [float("inf"), float("nan"), "a"])
def test_the_scale_must_be_finite(s):
    with pytest.raises(ValueError, match=r"^s is (inf|nan|'a'); .* must be a finite number"):
        guided(*pair(law()), s)
    with pytest.raises(ValueError, match=r"^s is"):
        with_classifier(pair(law())[1], law().classifier(0), s)
