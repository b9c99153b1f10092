"""Denoising score matching against 50 digits; shapes, dtypes, levels; no derivative of the model by x."""

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd import grad

from refgen.formulas import denoising
from refgen.nets.derivatives import counted_passes, trace, watched

mpmath.mp.dps = 50
EPS = np.finfo(float).eps
mpf = mpmath.mpf
STDS = [1e-6, 0.03, 1.0, 80.0]
POINTS = [(0.7, -1.3, 2.0), (3.0, 3.0, -1e4), (1e-12, 1.0, 0.0)]


@pytest.mark.parametrize("std", STDS)
@pytest.mark.parametrize(("x", "x_noisy", "s"), POINTS)
def test_accuracy_against_fifty_digits(x, x_noisy, s, std):
    a, b, c, e = mpf(x), mpf(x_noisy), mpf(s), mpf(std)
    one = lambda number: np.array([number])  # noqa: E731
    terms = [c, b / e**2, -a / e**2]
    size = sum(map(abs, terms))
    cases = [
        (denoising.kernel_score(one(x), one(x_noisy), std)[0], (a - b) / e**2, (abs(a) + abs(b)) / e**2),
        (denoising.denoising(one(s), one(x), one(x_noisy), std), sum(terms) ** 2 / 2, size**2 / 2),
        (
            denoising.noise_prediction(one(s), one(x), std),
            (e * c + a) ** 2 / 2,
            (abs(e * c) + abs(a)) ** 2 / 2,
        ),
        (denoising.cross_term(one(s), one(x)), -a * c, abs(a * c)),
        (denoising.loss_var(std, 3), 3 / (2 * e**4), 3 / (2 * e**4)),
        (denoising.gradient_var(abs(s), std), abs(c) / e**2, abs(c) / e**2),
    ]
    var, n = mpf(1.5), 20
    error = [e**4 / var / (var + e**2) ** 2, var**2 / ((n - 2) * e**2) / (var + e**2) ** 2]
    cases.append((denoising.clean_error(std, 1.5, n), sum(error), sum(error)))
    bias = [e**2 * c * a, e**2 / 2 * b]
    got = denoising.smoothing_bias(one(s), np.array([[x]]), one(x_noisy), std)[0]
    cases.append((got, sum(bias), sum(map(abs, bias))))
    for number, (got, value, scale) in enumerate(cases):
        assert abs(mpf(float(got)) - value) <= 10 * EPS * scale, number


@pytest.mark.parametrize("d", [1, 2, 100])
def test_any_dimension_and_leading_axes(d):
    rng = np.random.default_rng(d)
    s, x, eps = rng.normal(size=(3, 4, 5, d))
    x_noisy = x + 0.3 * eps
    loss = denoising.denoising(s, x, x_noisy, 0.3)
    assert loss.shape == (4, 5)
    np.testing.assert_allclose(loss, 0.5 * np.sum((s + eps / 0.3) ** 2, axis=-1), rtol=1e-11)
    np.testing.assert_allclose(denoising.noise_prediction(s, eps, 0.3), 0.09 * loss, rtol=1e-11)
    np.testing.assert_allclose(denoising.kernel_score(x, x_noisy, 0.3), -eps / 0.3, rtol=1e-9, atol=1e-12)
    jac = rng.normal(size=(4, 5, d, d))
    jac = jac + np.swapaxes(jac, -1, -2)
    bias = 0.045 * (2 * (jac @ s[..., None])[..., 0] + x)
    np.testing.assert_allclose(denoising.smoothing_bias(s, jac, x, 0.3), bias, rtol=1e-9, atol=1e-12 * d)
    # by the parameters of s = theta_1 x + theta_2
    s_param = np.stack([x[0], np.ones_like(x[0])], axis=-1)
    residual = s[0] - x[1]
    expected = [np.mean(np.sum(residual * x[0], axis=-1)), np.mean(np.sum(residual, axis=-1))]
    np.testing.assert_allclose(denoising.denoising_gradient(s[0], x[1], s_param), expected, rtol=1e-9)


def test_a_level_for_each_point():
    """One call for points of many levels is one call for each."""
    rng = np.random.default_rng(0)
    s, x, eps = rng.normal(size=(3, 4, 2))
    std = np.array([[0.01], [0.1], [1.0], [10.0]])
    x_noisy = x + std * eps
    together = denoising.denoising(s, x, x_noisy, std)
    alone = [denoising.denoising(s[i], x[i], x_noisy[i], float(std[i, 0])) for i in range(4)]
    np.testing.assert_array_equal(together, alone)
    weighted = denoising.noise_prediction(s, eps, std)
    np.testing.assert_allclose(weighted, std[:, 0] ** 2 * together, rtol=1e-10)


def test_needs_no_derivative_of_the_model():
    """A step of denoising sends no derivative back to x; the trace sends d."""
    rng = np.random.default_rng(0)
    x, eps = rng.normal(size=(2, 6, 3))
    x_noisy = x + 0.5 * eps

    def loss(theta):
        s = anp.tanh(watched(x_noisy) @ theta)
        return anp.mean(denoising.denoising(s, x, x_noisy, 0.5))

    theta = rng.normal(size=(3, 3))
    with counted_passes() as count:
        gradient = grad(loss)(theta)
    assert count.passes == 0
    assert np.all(np.isfinite(gradient)) and np.any(gradient)
    with counted_passes() as count:
        trace(lambda z: anp.tanh(z @ theta), x_noisy)
    assert count.passes == 3
    rough = np.round(x_noisy)  # a model without a derivative
    assert np.all(np.isfinite(denoising.denoising(rough, x, x_noisy, 0.5)))


def test_float32_stays():
    a = np.ones((2, 3), np.float32)
    square, params = np.ones((2, 3, 3), np.float32), np.ones((2, 3, 4), np.float32)
    results = [
        denoising.kernel_score(a, a, 0.5),
        denoising.denoising(a, a, a, 0.5),
        denoising.noise_prediction(a, a, 0.5),
        denoising.cross_term(a, a),
        denoising.denoising_gradient(a, -a, params),
        denoising.smoothing_bias(a, square, a, 0.5),
        denoising.loss_var(a[:, 0], 3),
        denoising.gradient_var(a[:, 0], 0.5),
        denoising.clean_error(a[:, 0], 1.5, 20),
    ]
    assert all(r.dtype == np.float32 for r in results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: denoising.kernel_score(a, b, 1.0), r"x_noisy has shape \(3, 1\)"),
        (lambda a, b: denoising.denoising(a, b, a, 1.0), r"x has shape \(3, 1\)"),
        (lambda a, b: denoising.denoising(a, a, b, 1.0), r"x_noisy has shape \(3, 1\)"),
        (lambda a, b: denoising.noise_prediction(a, b, 1.0), r"eps has shape \(3, 1\)"),
        (lambda a, b: denoising.cross_term(a, b), r"target has shape \(3, 1\)"),
        (lambda a, b: denoising.denoising_gradient(a, b, a), r"target has shape \(3, 1\)"),
        (lambda a, b: denoising.smoothing_bias(a, b, a, 1.0), r"jac has shape \(3, 1\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)), np.zeros((3, 1)))
