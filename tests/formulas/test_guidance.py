"""Formulas of guidance: the ends of the scale, accuracy where terms vanish or are huge, precision, shapes."""

import mpmath
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import guidance

mpmath.mp.dps = 50
A, B = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[0.25, 7.0], [-0.5, 1.0]])


def test_scale_0_is_the_unconditional_and_scale_1_the_conditional():
    assert np.array_equal(guidance.guided(A, B, 0.0), B)
    np.testing.assert_allclose(guidance.guided(A, B, 1.0), A, rtol=1e-15)
    assert np.array_equal(guidance.tilted(B, A - B, 0.0), B)
    assert guidance.scale_from_weight(0.0) == 1.0 and guidance.scale_from_weight(-1.0) == 0.0


@pytest.mark.parametrize("w", [0.0, 0.5, 3.0])
def test_the_other_convention_gives_the_same(w):
    theirs = (1 + w) * A - w * B
    np.testing.assert_allclose(guidance.guided(A, B, guidance.scale_from_weight(w)), theirs, rtol=1e-14)


@pytest.mark.parametrize("s", [0.0, 0.5, 1.0, 3.5])
def test_classifier_forms_are_one_rule(s):
    """eps, x_0 and the score of one level, from one another by x_t = signal x_0 + std eps."""
    signal, std, x_t, slope = 0.8, 0.6, A, B
    score = np.array([[0.3, -1.0], [2.0, 0.1]])
    eps, x_0 = -std * score, (x_t + std**2 * score) / signal
    guided = guidance.tilted(score, slope, s)
    np.testing.assert_allclose(guidance.eps_with_classifier(eps, slope, std, s), -std * guided, rtol=1e-13)
    found = guidance.x_0_with_classifier(x_0, slope, signal, std, s)
    np.testing.assert_allclose(found, (x_t + std**2 * guided) / signal, rtol=1e-13)


@pytest.mark.parametrize("far", [0.0, 900.0, -1e5])
def test_classes_against_fifty_digits_far_out_too(far):
    likelihoods, prior = np.array([far, far - 3.0, far - 800.0]), np.array([0.2, 0.5, 0.3])
    exact = [mpmath.mpf(a) + mpmath.log(mpmath.mpf(p)) for a, p in zip(likelihoods, prior, strict=True)]
    total = mpmath.log(sum(mpmath.exp(a) for a in exact))
    found = guidance.log_class(likelihoods, np.log(prior))
    size = 4e-16 * abs(far) + 1e-14
    np.testing.assert_allclose(found, [float(a - total) for a in exact], rtol=1e-14, atol=10 * size)
    assert np.sum(np.exp(found)) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("s", [0.0, 0.5, 0.5 + 1e-9, 1.0, 2.0, 7.5])
@pytest.mark.parametrize(("var", "var_c"), [(2.0, 1.0), (1.0, 1.0), (1.0, 1 - 1e-9), (3.0, 1e-3), (0.5, 2.0)])
def test_variances_against_fifty_digits(var, var_c, s):
    a, b, exact_s = mpmath.mpf(var), mpmath.mpf(var_c), mpmath.mpf(s)
    ratio, k = mpmath.log(b / a), 2 * exact_s - 1
    phi = lambda z: mpmath.expm1(z) / z if z else mpmath.mpf(1)  # noqa: E731
    exact = b * phi(k * ratio) / phi(ratio)
    assert guidance.guided_chain_var(var, var_c, s) == pytest.approx(float(exact), rel=3e-15)
    assert guidance.guided_flow_var(var, var_c, s) == pytest.approx(float(b * (b / a) ** (s - 1)), rel=1e-13)
    precision = (1 - exact_s) / a + exact_s / b
    if precision > 0:
        assert guidance.tilted_var(var, var_c, s) == pytest.approx(float(1 / precision), rel=1e-14)
    arrays = guidance.guided_chain_var(np.array([var]), np.array([var_c]), s)
    assert arrays[0] == pytest.approx(float(exact), rel=3e-15)


def test_the_known_example_of_three_laws():
    """Data N(0, 2), a class N(0, 1), s = 2: 2/3 for the tilted law, 1/2 by the flow, 7/12 by the chain."""
    assert guidance.tilted_var(2.0, 1.0, 2.0) == pytest.approx(2 / 3, rel=1e-15)
    assert guidance.guided_flow_var(2.0, 1.0, 2.0) == pytest.approx(1 / 2, rel=1e-15)
    assert guidance.guided_chain_var(2.0, 1.0, 2.0) == pytest.approx(7 / 12, rel=1e-14)


def test_slopes_are_those_of_each_row_alone():
    def log_prob_c(x):
        return -((x[:, 0] - 1) ** 2) + x[:, 1]

    expected = np.stack([-2 * (A[:, 0] - 1), np.ones(2)], axis=1)
    np.testing.assert_allclose(guidance.class_score(log_prob_c, A), expected, rtol=1e-14)
    assert guidance.class_score(log_prob_c, A[:0]).shape == (0, 2)
    assert guidance.class_score(log_prob_c, A.astype(np.float32)).dtype == np.float32


def test_cross_entropy_has_the_right_slope_and_is_least_at_the_truth():
    truth = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])

    def risk(logits):
        return np.sum(guidance.cross_entropy(truth, guidance.log_class(logits, np.zeros(3))))

    check_grads(lambda a: guidance.cross_entropy(truth, guidance.log_class(a, np.zeros(3))), modes=["rev"])(
        np.log(truth) + 0.1
    )
    least = risk(np.log(truth))
    rng = np.random.default_rng(0)
    assert all(risk(np.log(truth) + 0.1 * rng.normal(size=(2, 3))) > least for _ in range(20))
    many = rng.normal(size=(4, 2, 3))
    np.testing.assert_allclose(guidance.cross_entropy(truth, many), -np.einsum("jc,ijc->ij", truth, many))


def test_float32_stays_and_shapes_are_checked():
    a, s = A.astype(np.float32), 2.0
    found = [
        guidance.guided(a, a, s),
        guidance.tilted(a, a, s),
        guidance.eps_with_classifier(a, a, 0.5, s),
        guidance.x_0_with_classifier(a, a, 0.5, 0.5, s),
        guidance.log_class(a, a[0]),
        guidance.cross_entropy(a, a),
        guidance.tilted_var(abs(a), abs(a), s),
        guidance.guided_flow_var(abs(a), abs(a), s),
        guidance.guided_chain_var(abs(a), abs(a), s),
    ]
    assert all(array.dtype == np.float32 for array in found)
    with pytest.raises(ValueError, match=r"^gradient has shape \(2, 1\)"):
        guidance.eps_with_classifier(A, A[:, :1], 0.5, s)
    with pytest.raises(ValueError, match=r"^log_prior has shape \(3,\)"):
        guidance.log_class(A, np.zeros(3))
