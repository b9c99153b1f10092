"""Formulas of flows: 50 digits at the edges, both directions, precision, shapes, any dimension."""

import autograd.numpy as anp
import mpmath as mp
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import determinant, flow, gaussian

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)


def normal(z):
    return gaussian.log_prob_isotropic(z, 0 * z, 1.0)


@pytest.mark.parametrize("d", [1, 2, 100])
def test_affine_flow_is_its_gaussian_over_any_leading_axes(d):
    lower = np.tril(RNG.normal(size=(d, d)) / d, -1) + np.diag(
        RNG.choice([-1, 1], d) * RNG.uniform(0.5, 2, d)
    )
    shift, z = RNG.normal(size=d), RNG.normal(size=(2, 3, d))
    x, found = flow.pushed(z, [lambda z: gaussian.reparametrise(shift, lower, z)], normal)
    exact = gaussian.log_prob(x, shift, lower @ lower.T)
    np.testing.assert_allclose(found, exact, rtol=1e-10)
    chain = flow.chain_log_prob(normal(z), [determinant.triangular_log_det(lower)])
    np.testing.assert_allclose(chain, exact, rtol=1e-10)
    if d < 100:
        back = flow.log_prob(x, lambda x: determinant.triangular_inverse(x, lower, shift), normal)
        np.testing.assert_allclose(back, exact, rtol=1e-10)


def test_the_log_det_of_a_map_that_shrinks_is_negative_and_its_density_grows():
    """By hand: x = -z / 2 in two dimensions has |det| = 1/4, so p(0) = 4 / (2 pi)."""
    z = np.zeros((1, 2))
    found = flow.pushed(z, [lambda z: -0.5 * z], normal)[1]
    assert np.exp(found[0]) == pytest.approx(4 / (2 * np.pi))
    assert np.exp(flow.log_prob(z, lambda x: -2 * x, normal)[0]) == pytest.approx(4 / (2 * np.pi))
    assert np.exp(flow.log_prob_on_line(0.0, -2.0)) == pytest.approx(2.0)  # twice as dense, half as wide
    assert flow.coupling_log_det(np.log(np.array([0.5, 0.5])), np.ones(2)) == pytest.approx(np.log(0.25))


@pytest.mark.parametrize("d", [2, 100])
def test_coupling_and_back(d):
    changed = np.arange(d) % 2.0
    z, weights = RNG.normal(size=(5, d)), RNG.normal(size=(2, d, d)) / d

    def net(z):
        kept = (1 - changed) * z
        return kept @ weights[0], np.tanh(kept @ weights[1])

    x = flow.coupling(z, *net(z), changed)
    np.testing.assert_array_equal(x[:, ::2], z[:, ::2])
    np.testing.assert_allclose(flow.coupling_inverse(x, *net(x), changed), z, atol=1e-13)
    full = flow.jacobian(lambda z: flow.coupling(z, *net(z), changed), z)
    found = flow.coupling_log_det(net(z)[1], changed)
    np.testing.assert_allclose(found, np.linalg.slogdet(full)[1], atol=1e-10)
    assert np.min(found) < 0 < np.max(found) or d == 2


def test_planar_maps_stay_one_to_one_at_the_ends_of_the_range():
    for along in (-700.0, -30.0, -1.0, 0.0, 1.0, 30.0, 700.0):
        w = np.array([3.0, 4.0])
        u = along * w / 25 + 0.3 * np.array([-4.0, 3.0])
        with mp.workdps(50):
            a = mp.fdot(w.tolist(), u.tolist())
            exact = mp.log1p(mp.exp(a)) - 1
            found = flow.planar_u(u, w)
            gap = abs(mp.fdot(w.tolist(), found.tolist()) - exact)
        assert gap <= 10 * EPS * (1 + abs(along))
        assert flow.planar_log_det(np.zeros((1, 2)), found, w, 0.5)[0] > -50
    long = np.array([30.0, 40.0])  # with the norm where its square belongs, w.u would be -15
    assert long @ flow.planar_u(0 * long, long) == pytest.approx(np.log(2) - 1)


def test_planar_log_det_against_fifty_digits():
    for z, u, w, b in RNG.normal(size=(20, 4)):
        u = u if u * w > -1 else -u
        with mp.workdps(50):
            slope = 1 + mp.mpf(u) * w * mp.sech(mp.mpf(w) * z + mp.mpf(b)) ** 2
            exact = mp.log(slope)
        found = flow.planar_log_det(np.array([z]), np.array([u]), np.array([w]), b)
        assert abs(found - float(exact)) <= 20 * EPS * (1 + abs(u * w)) / float(slope)


def test_rows_of_a_jacobian_are_outputs():
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    found = flow.jacobian(lambda x: anp.stack([x[..., 0] * x[..., 1], 5 * x[..., 0], x[..., 1]], axis=-1), x)
    assert found.tolist() == [[[2, 1], [5, 0], [0, 1]], [[-1, 3], [5, 0], [0, 1]]]

    def sheared(z):
        return anp.stack([z[..., 0], 2 * z[..., 1] + z[..., 0] ** 2], axis=-1)

    np.testing.assert_allclose(flow.inverse_jacobian(sheared, x[0]), [[1, 0], [-1, 0.5]], atol=1e-15)


def test_gradients_of_all_that_is_trained():
    z, u, w, changed = RNG.normal(size=(2, 3)), RNG.normal(size=3), RNG.normal(size=3), np.array([1.0, 0, 1])
    check_grads(flow.planar, order=2)(z, u, w, 0.3)
    check_grads(flow.planar_log_det, order=2)(z, flow.planar_u(u, w), w, 0.3)
    check_grads(flow.planar_u, order=2)(u, w)
    for f in (flow.coupling, flow.coupling_inverse):
        check_grads(lambda z, t, s, f=f: f(z, t, s, changed), order=2)(z, z + 1, 0.3 * z)
    check_grads(lambda x, a: flow.log_prob(x, lambda x: x * a, normal), order=1, modes=["rev"])(z, u)


def test_loss_of_any_number_of_points():
    found = normal(RNG.normal(size=(7, 100)))
    assert flow.negative_log_likelihood(found) == pytest.approx(-np.sum(found) / 7)
    assert flow.negative_log_likelihood(np.stack([found, found + 1])).shape == (2,)


def test_the_fit_is_likelier_than_its_neighbours():
    x = RNG.normal(size=(50, 3)) @ RNG.normal(size=(3, 3)) + 2
    shift, root = flow.affine_fit(x)
    np.testing.assert_allclose(root @ root.T, np.cov(x.T, bias=True), rtol=1e-12)
    best = np.mean(gaussian.log_prob(x, shift, root @ root.T))
    for _ in range(20):
        other = root @ (np.eye(3) + 0.05 * np.tril(RNG.normal(size=(3, 3))))
        assert np.mean(gaussian.log_prob(x, shift + 0.02 * RNG.normal(size=3), other @ other.T)) < best


def test_float32_stays():
    x = RNG.normal(size=(5, 2)).astype(np.float32)
    ones = np.ones(2, np.float32)
    results = [
        flow.jacobian(anp.tanh, x),
        flow.inverse_jacobian(lambda z: 2 * z, x),
        flow.log_prob_on_line(x, x),
        flow.log_prob(x, lambda z: 2 * z, normal),
        *flow.pushed(x, [lambda z: 2 * z], normal),
        flow.chain_log_prob(x, [x, x]),
        flow.negative_log_likelihood(x),
        *flow.affine_fit(x),
        flow.coupling(x, x, x, ones),
        flow.coupling_inverse(x, x, x, ones),
        flow.coupling_log_det(x, ones),
        flow.planar(x, ones, ones, 0.3),
        flow.planar_log_det(x, ones, ones, 0.3),
        flow.planar_u(x, x),
    ]
    assert all(r.dtype == np.float32 for r in results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: flow.coupling(a, a[:, :1], a, a[0]), r"shift has shape \(3, 1\)"),
        (lambda a: flow.coupling_inverse(a, a, a, np.ones(3)), r"changed has shape \(3,\)"),
        (lambda a: flow.coupling_log_det(a, np.ones(3)), r"changed has shape \(3,\)"),
        (lambda a: flow.planar(a, a[0], np.ones(3), 0.0), r"w has shape \(3,\)"),
        (lambda a: flow.planar_log_det(a, np.ones(3), a[0], 0.0), r"u has shape \(3,\)"),
        (lambda a: flow.planar_u(a, np.ones(3)), r"w has shape \(3,\)"),
        (lambda a: flow.affine_fit(a[:2]), r"x has shape \(2, 2\); it must be \(n, d\)"),
        (lambda a: flow.affine_fit(a[0]), r"x has shape \(2,\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
