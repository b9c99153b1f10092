"""Formulas of energies: accuracy, the counterexamples of the misprints, precision, shapes."""

import itertools

import mpmath
import numpy as np
import pytest

from refgen.formulas import energy

mpmath.mp.dps = 50
EPS = np.finfo(float).eps


@pytest.mark.parametrize("shift", [0.0, 1e3, -1e3, 1e-12])
def test_log_normaliser_against_fifty_digits(shift):
    rng = np.random.default_rng(0)
    e, w = shift + 40 * rng.normal(size=50), rng.normal(size=50)
    exact = mpmath.log(sum(mpmath.exp(mpmath.mpf(b) - mpmath.mpf(a)) for a, b in zip(e, w, strict=True)))
    found = energy.log_normaliser(e, w)
    assert abs(mpmath.mpf(float(found)) - exact) <= 10 * EPS * (abs(exact) + 100 + abs(shift))
    both = energy.log_normaliser(np.stack([e, e + 1]), w)
    np.testing.assert_allclose(both, [found, found - 1], rtol=1e-12)


def test_states_of_infinite_energy_have_no_weight():
    e = np.array([np.inf, 1.0, np.inf])
    assert energy.log_normaliser(e, 0.0) == -1.0
    assert np.exp(energy.log_prob(e, -1.0)).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("d", [1, 2, 100])
def test_score_of_a_quadratic_energy_over_any_leading_axes(d):
    x = np.random.default_rng(d).normal(size=(4, 3, d))
    found = energy.score(lambda z: 1.5 * (z**2).sum(axis=-1) + 7, x)
    np.testing.assert_allclose(found, -3 * x, atol=1e-14)
    np.testing.assert_allclose(energy.score(lambda z: 1.5 * (z**2).sum(axis=-1), x[0, 0]), -3 * x[0, 0])


def test_draws_are_a_grid_of_equal_masses():
    data, model = np.random.default_rng(1).normal(size=(2, 6))
    loss = energy.contrastive_loss(data, model)
    assert loss == pytest.approx(energy.contrastive_loss(data, model, np.full(6, 1 / 6)), abs=1e-15)
    assert loss == pytest.approx(np.mean(data) - np.mean(model), abs=1e-15)


def test_two_laws_on_two_intervals_have_one_score_and_are_far_apart():
    """Weights 0.2, 0.8 and 0.8, 0.2 on [0, 1] and [2, 3]: total variation 0.6, no difference of scores."""
    x = np.concatenate([np.linspace(0.01, 0.99, 99), np.linspace(2.01, 2.99, 99)])
    shape = 6 * (x % 1) * (1 - x % 1)
    first, second = (np.where(x < 1.5, w, 1 - w) * shape for w in (0.2, 0.8))
    inside = np.abs(np.diff(x)) < 0.5
    slopes = [np.diff(np.log(p))[inside] for p in (first, second)]
    np.testing.assert_allclose(slopes[0], slopes[1], atol=1e-13)
    assert np.sum(abs(first - second)) / np.sum(first + second) == pytest.approx(0.6, abs=1e-12)
    assert energy.free_weights(np.array([0.0, 2.0]), np.array([1.0, 3.0])) == 1
    assert energy.free_weights(np.array([0.0, 1.0]), np.array([1.0, 3.0])) == 0
    assert energy.free_weights(np.array([0.0, 1.0, 4.0]), np.array([9.0, 2.0, 5.0])) == 0
    assert energy.free_weights(np.array([0.0]), np.array([1.0])) == 0


def test_a_free_network_does_work_round_a_circle_and_an_energy_does_none():
    angle = 2 * np.pi * np.arange(64) / 64
    x = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    along, weight = np.stack([-x[:, 1], x[:, 0]], axis=-1), np.full(64, 2 * np.pi / 64)
    turning = x @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert energy.line_integral(turning, along, weight) == pytest.approx(2 * np.pi)
    assert energy.asymmetry(np.array([[0.0, -1.0], [1.0, 0.0]])) == pytest.approx(np.sqrt(8))
    score = energy.score(lambda z: z[..., 0] ** 4 + z[..., 0] * z[..., 1], x)
    assert energy.line_integral(score, along, weight) == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize("n", [3, 8])
def test_z_of_a_formula_at_zero_temperature_is_the_number_of_its_solutions(n):
    rng = np.random.default_rng(n)
    clauses = np.zeros((2 * n, n))
    for row in clauses:
        row[rng.choice(n, 2, replace=False)] = rng.choice([-1, 1], 2)
    states = np.array(list(itertools.product([-1.0, 1.0], repeat=n)))
    violated = energy.violations(states, clauses)
    literal = ((states[:, None] * clauses == 1).sum(axis=-1) == 0).sum(axis=-1)
    np.testing.assert_array_equal(violated, literal)
    count = energy.count_satisfying(violated)
    assert count == np.sum(literal == 0)
    assert np.exp(energy.log_normaliser(30 * violated, 0.0)) == pytest.approx(float(count), abs=1e-8 * 2**n)


def test_float32_stays():
    x = np.ones((5, 2), np.float32)
    results = [
        energy.log_prob(x, 0.3),
        energy.log_normaliser(x, 0.1),
        energy.contrastive_loss(x[:, 0], x[:, 1]),
        energy.contrastive_loss(x[:, 0], x[:, 1], x[:, 0] / 5),
        energy.score(lambda z: (0.5 * z**2).sum(axis=-1), x),
        energy.line_integral(x, x, x[:, 0]),
        energy.asymmetry(x[:2]),
        energy.violations(x, x[:1]),
        energy.free_weights(x[:, 0], x[:, 1]),
    ]
    assert all(r.dtype == np.float32 for r in results)
    assert energy.likelier(x, 2 * x).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: energy.line_integral(a, a[:, :1], a[:, 0]), r"velocity has shape \(3, 1\)"),
        (lambda a: energy.asymmetry(a), r"jacobian has shape \(3, 2\); it must be"),
        (lambda a: energy.asymmetry(a[0]), r"jacobian has shape \(2,\); it must be"),
        (lambda a: energy.contrastive_loss(a[0], a[0], a[:, 0]), r"mass_model has shape \(3,\)"),
        (lambda a: energy.violations(a, a[:, :1]), r"clauses has shape \(3, 1\)"),
        (lambda a: energy.free_weights(a[0], a[:, 0]), r"high has shape \(3,\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
