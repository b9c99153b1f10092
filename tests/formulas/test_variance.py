"""The best reverse variance against the exact reverse variance E Var[x_s | x_t] by quadrature."""

import numpy as np
import pytest

from refgen.formulas.posterior import posterior_var
from refgen.formulas.variance import optimal_var, optimal_var_bounds

# A 1-D mixture; x_s of a step is the mixture blurred, and its law given x_t is found on a grid.
WEIGHTS, MEANS, VARS = np.array([0.3, 0.7]), np.array([-1.2, 0.5]), np.array([0.05, 0.02])
DATA_VAR = float(WEIGHTS @ (VARS + MEANS**2) - (WEIGHTS @ MEANS) ** 2)


def normal(x, mean, var):
    return np.exp(-((x - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)


def density(x, alpha_bar):
    return sum(
        w * normal(x, np.sqrt(alpha_bar) * m, alpha_bar * v + 1 - alpha_bar)
        for w, m, v in zip(WEIGHTS, MEANS, VARS, strict=True)
    )


def reverse_var_and_square_score(alpha_t, alpha_bar_s):
    """E Var[x_s | x_t] from the joint density of (x_s, x_t), and E score^2, by sums on a fine grid."""
    x_s, h_s = np.linspace(-7, 7, 1401, retstep=True)
    x_t, h_t = np.linspace(-8, 8, 1601, retstep=True)
    joint = density(x_s, alpha_bar_s)[:, None] * normal(x_t, np.sqrt(alpha_t) * x_s[:, None], 1 - alpha_t)
    q_t = joint.sum(0) * h_s
    mean = (x_s[:, None] * joint).sum(0) * h_s / q_t
    second = (x_s[:, None] ** 2 * joint).sum(0) * h_s / q_t
    kernel_score = -(x_t - np.sqrt(alpha_t) * x_s[:, None]) / (1 - alpha_t)
    score = (kernel_score * joint).sum(0) * h_s / q_t
    return ((second - mean**2) * q_t).sum() * h_t, (score**2 * q_t).sum() * h_t


@pytest.mark.parametrize(("alpha_t", "alpha_bar_s"), [(0.9, 0.8), (0.5, 0.6), (0.1, 0.9), (0.97, 0.1)])
def test_optimal_variance_is_the_mean_reverse_variance_and_lies_in_its_bounds(alpha_t, alpha_bar_s):
    exact, square_score = reverse_var_and_square_score(alpha_t, alpha_bar_s)
    assert optimal_var(alpha_t, square_score) == pytest.approx(exact, rel=1e-8)
    # What must be rejected: the variance without the division by alpha, and with a single factor of beta.
    beta = 1 - alpha_t
    assert abs(beta * (1 - beta * square_score) / exact - 1) > 0.02
    assert abs(beta / alpha_t * (1 - square_score) / exact - 1) > 0.02
    lower, upper = optimal_var_bounds(alpha_t, alpha_bar_s, DATA_VAR)
    assert lower <= exact <= upper <= beta / alpha_t
    assert upper <= beta  # DATA_VAR < 1


def test_gaussian_data_reaches_the_upper_bound_and_one_point_the_lower():
    alpha_t, alpha_bar_s = 0.7, 0.4
    for data_var in (0.0, 0.3, 1.0, 25.0):
        var_t = alpha_t * alpha_bar_s * data_var + 1 - alpha_t * alpha_bar_s
        lower, upper = optimal_var_bounds(alpha_t, alpha_bar_s, data_var)
        assert upper == pytest.approx(optimal_var(alpha_t, 1 / var_t), rel=1e-12)
        assert lower == pytest.approx(posterior_var(alpha_t, alpha_bar_s), rel=1e-15)
        if data_var == 0:
            assert upper == pytest.approx(lower, rel=1e-12)
        if data_var == 1:
            assert upper == pytest.approx(1 - alpha_t, rel=1e-12)
    assert optimal_var_bounds(alpha_t, alpha_bar_s)[1] == pytest.approx((1 - alpha_t) / alpha_t)
    assert optimal_var_bounds(alpha_t, alpha_bar_s, 1e12)[1] == pytest.approx((1 - alpha_t) / alpha_t)


def test_float32_stays():
    alpha = np.float32([0.5, 0.9])
    assert optimal_var(alpha, alpha).dtype == np.float32
    assert all(a.dtype == np.float32 for a in optimal_var_bounds(alpha, alpha, 1.0))
