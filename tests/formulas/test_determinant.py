"""Determinants against 50 digits, exact where they must be, in float32, broadcast, and their shapes."""

import mpmath as mp
import numpy as np
import pytest

from refgen.formulas import determinant

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)
FORMULAS = [determinant.by_permutations, determinant.adjugate, determinant.triangular_log_det]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_against_fifty_digits(n):
    m = RNG.normal(size=(n, n)) * 10.0 ** RNG.uniform(-3, 3, size=(n, 1))
    bound = np.prod(np.linalg.norm(m, axis=1))
    with mp.workdps(50):
        exact = mp.det(mp.matrix(m.tolist()))
        assert abs(mp.mpf(float(determinant.by_permutations(m))) - exact) <= 10 * EPS * bound
        inverse = np.array((mp.matrix(m.tolist()) ** -1 * exact).tolist(), float)
    found = determinant.adjugate(m)
    np.testing.assert_allclose(found, inverse, atol=100 * EPS * bound / np.min(np.linalg.norm(m, axis=1)))


def test_integers_are_exact():
    m = np.arange(1.0, 10).reshape(3, 3)
    assert determinant.by_permutations(m) == 0 and not determinant.invertible(m)
    assert determinant.invertible(np.eye(3) / 1024)
    assert determinant.invertible(np.stack([m, m + np.eye(3), 0 * m])).tolist() == [False, True, False]
    np.testing.assert_array_equal(m @ determinant.adjugate(m), 0 * m)


def test_exchanging_two_rows_turns_the_sign_and_two_equal_ones_give_nothing():
    m = RNG.normal(size=(2, 5, 5))
    swapped = m[:, [0, 3, 2, 1, 4]]
    np.testing.assert_allclose(
        determinant.by_permutations(swapped), -determinant.by_permutations(m), rtol=1e-12
    )
    m[:, 1] = m[:, 3]
    np.testing.assert_allclose(determinant.by_permutations(m), 0, atol=1e-13)


@pytest.mark.parametrize("d", [1, 2, 64, 100])
def test_triangular_maps_of_any_size(d):
    lower = np.tril(RNG.normal(size=(d, d)) / np.sqrt(d), -1) + np.diag(
        RNG.choice([-1, 1], d) * RNG.uniform(0.5, 2, d)
    )
    shift, z = RNG.normal(size=d), RNG.normal(size=(4, 3, d))
    back = determinant.triangular_inverse(z @ lower.T + shift, lower, shift)
    np.testing.assert_allclose(back, z, atol=1e-9)
    found = determinant.triangular_log_det(np.stack([lower, lower.T]))
    np.testing.assert_allclose(found, np.linalg.slogdet(lower)[1], atol=1e-10)


def test_no_overflow_where_the_determinant_itself_has_one():
    assert determinant.triangular_log_det(np.eye(100) * 1e-10) == pytest.approx(-1000 * np.log(10))


def test_cost_grows_eightfold_and_twofold():
    assert determinant.elimination_products(np.array([1, 2, 3])).tolist() == [0, 3, 10]  # counted by hand
    d = np.array([50.0, 100.0, 2000.0])
    assert determinant.elimination_products(2 * d) / determinant.elimination_products(d) == pytest.approx(
        [8, 8, 8], rel=0.02
    )
    assert determinant.elimination_products(2 * d, True).tolist() == (2 * d - 1).tolist()


def test_float32_stays():
    m = np.eye(3, dtype=np.float32) * 2
    assert all(f(m).dtype == np.float32 for f in FORMULAS)
    assert determinant.triangular_inverse(m, m, m[0]).dtype == np.float32
    assert determinant.elimination_products(m[0]).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        *[(f, r"(m|jacobian) has shape \(3, 2\); it must be") for f in (*FORMULAS, determinant.invertible)],
        (lambda a: determinant.by_permutations(np.eye(9)), r"m has shape \(9, 9\); the sum over"),
        (lambda a: determinant.triangular_inverse(a, np.eye(3), a[0]), r"lower has shape \(3, 3\)"),
    ],
)  # fmt: skip
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
