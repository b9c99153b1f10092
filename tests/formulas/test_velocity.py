import mpmath
import numpy as np
import pytest

from refgen.formulas import velocity
from refgen.formulas.forward import diffuse
from refgen.formulas.parametrisation import eps_from_v, v_from_eps, x_0_from_eps

rng = np.random.default_rng(0)
X_0, EPS = rng.normal(size=(2, 7, 3))


@pytest.mark.parametrize(("signal", "std"), [(1.0, 0.0), (0.6, 0.8), (0.0, 1.0), (1.0, 3.0), (1e-5, 1.0)])
def test_round_trip_at_any_level_even_without_signal(signal, std):
    x_t = diffuse(X_0, EPS, signal, std)
    v = velocity.v_from_x_0_and_eps(X_0, EPS, signal, std)
    np.testing.assert_allclose(velocity.x_0_from_v(x_t, v, signal, std), X_0, rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(eps_from_v(x_t, v, signal, std), EPS, rtol=1e-13, atol=1e-14)
    if signal > 0.1:
        np.testing.assert_allclose(v_from_eps(x_t, EPS, signal, std), v, rtol=1e-12, atol=1e-14)


def test_an_error_in_v_is_not_amplified_where_one_in_eps_is():
    signal, std = 1e-3, float(mpmath.sqrt(1 - mpmath.mpf(1e-3) ** 2))
    x_t = diffuse(X_0, EPS, signal, std)
    v = velocity.v_from_x_0_and_eps(X_0, EPS, signal, std)
    off_v = velocity.x_0_from_v(x_t, v + 0.01, signal, std) - X_0
    off_eps = x_0_from_eps(x_t, EPS + 0.01, signal, std) - X_0
    assert np.max(np.abs(off_v)) < 0.0101
    assert np.min(np.abs(off_eps)) > 9


def test_float32_and_shapes():
    x, v = X_0.astype(np.float32), EPS.astype(np.float32)
    assert velocity.x_0_from_v(x, v, 0.6, 0.8).dtype == np.float32
    assert velocity.v_from_x_0_and_eps(x, v, 0.6, 0.8).dtype == np.float32
    with pytest.raises(ValueError, match=r"^v has shape \(7, 2\)"):
        velocity.x_0_from_v(x, v[:, :2], 0.6, 0.8)
