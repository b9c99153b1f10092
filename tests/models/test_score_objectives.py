"""The three objectives: values by hand, gradients that agree in the mean, and how many reverse passes."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, value_and_grad

from refgen.backend import CPU, Stream
from refgen.models.score_objectives import LAWS, OBJECTIVES, loss_is, require_objective, score_loss
from refgen.nets.derivatives import counted_passes, watched
from refgen.nets.mlp import MLP
from tests.device import DEVICES, IDS, counting, same

STD = 0.3
LINEAR = onp.array([[1.2, 0.5], [-0.3, 0.8]])

# What the objective takes besides its name.
OPTIONS = [
    ("implicit", {}),
    ("denoising", {}),
    *(("sliced", {"law": law, "reduced": reduced}) for law in LAWS for reduced in (True, False)),
    ("sliced", {"projections": 3}),
]


@pytest.mark.parametrize(("objective", "options"), OPTIONS)
def test_in_the_mean_all_gradients_are_that_of_the_noisy_law(objective, options):
    """s = -A x, data of covariance C: the gradient by A is A (C + std^2 I) - I; denoising: times std^2."""
    root = onp.array([[1.0, 0.0], [0.6, 0.8]])

    def loss(matrix, rng):
        x = rng.normal(2000, 2) @ root.T
        return score_loss(objective, lambda z: -z @ matrix.T, x, rng, STD, **options)

    rng, scale = Stream(0), STD**2 if objective == "denoising" else 1
    drawn = onp.stack([grad(loss)(LINEAR, rng) / scale for _ in range(60)])
    expected = LINEAR @ (root @ root.T + STD**2 * onp.eye(2)) - onp.eye(2)
    z = (drawn.mean(axis=0) - expected) / (drawn.std(axis=0) / onp.sqrt(len(drawn)))
    assert onp.abs(z).max() < 4.5


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_best_loss_is_what_is_said_of_it(objective):
    """Of the exact score of N(0, C): 1/2 E|score|^2 below 0, and for denoising below d / 2."""
    root = onp.array([[0.5, 0.0], [0.3, 0.4]])
    precision = onp.linalg.inv(root @ root.T + STD**2 * onp.eye(2))
    x = Stream(3).normal(40_000, 2) @ root.T
    found = score_loss(objective, lambda z: -z @ precision, x, Stream(4), STD)
    least = -onp.trace(precision) / 2
    at_best = 1 + STD**2 * least if objective == "denoising" else least
    assert found == pytest.approx(at_best, abs=0.06 if objective != "denoising" else 0.02)
    assert ("below 0" in loss_is(objective)) == (at_best < 0)
    assert loss_is(objective, "std^2") == loss_is(objective) or "-std^2/2 E" in loss_is(objective, "std^2")


@pytest.mark.parametrize("reduced", [True, False])
def test_values_are_those_computed_by_hand(reduced):
    """A field that is not linear, whose Jacobian stands on paper: s = (sin(a x_1 x_2), x_1^2)."""

    def field(z):
        return np.stack([np.sin(1.5 * z[:, 0] * z[:, 1]), z[:, 0] ** 2], axis=1)

    x = Stream(1).normal(5, 2)
    rng = Stream(2)  # the draws of the loss again
    eps = rng.normal(5, 2)
    noisy = x + STD * eps
    v = onp.sign(rng.normal(4, 5, 2))
    inner = 1.5 * onp.cos(1.5 * noisy[:, 0] * noisy[:, 1])
    s = field(noisy)
    rows = [[inner * noisy[:, 1], inner * noisy[:, 0]], [2 * noisy[:, 0], 0 * noisy[:, 0]]]
    jac = onp.moveaxis(onp.array(rows), 2, 0)
    square = (s**2).sum(axis=1)
    by_hand = {
        "implicit": onp.mean(square / 2 + jac[:, 0, 0] + jac[:, 1, 1]),
        "sliced": onp.mean(
            onp.einsum("mni,nij,mnj->mn", v, jac, v)
            + (square if reduced else onp.einsum("mni,ni->mn", v, s) ** 2) / 2
        ),
        "denoising": onp.mean(STD**2 * ((s + eps / STD) ** 2).sum(axis=1) / 2),
    }
    for objective in OBJECTIVES:
        found = score_loss(objective, field, x, Stream(2), STD, 4, "rademacher", reduced)
        assert float(found) == pytest.approx(by_hand[objective], rel=1e-12)


@pytest.mark.parametrize(("objective", "passes"), [("implicit", 5), ("sliced", 3), ("denoising", 0)])
def test_reverse_passes_by_x(objective, passes):
    with counted_passes() as count:
        score_loss(objective, lambda z: watched(np.tanh(z)), Stream(0).normal(4, 5), Stream(1), STD, 3)
    # trace and sliced_trace watch what they are given, and the field is watched here once more.
    assert count.passes == 2 * passes


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize(("objective", "options"), OPTIONS)
def test_float32_stays_and_a_device_does_the_same(device, objective, options):
    net = MLP(3, 3, hidden=8, layers=2)

    def work(where):
        params = net.init(Stream(0, device=where), last=1.0)
        x, rng = Stream(1, device=where).normal(9, 3, dtype=onp.float32), Stream(2, device=where)

        def of(p):
            return score_loss(objective, lambda z: net(p, z), x, rng, STD, **options)

        with counting() as count:
            value, slope = value_and_grad(of)(params)
        assert count.transfers == 0
        assert value.dtype == onp.float32 and slope.dtype == onp.float32
        return value, slope

    same(work(CPU), work(device))


def test_bad_names_and_numbers_are_one_clear_line():
    with pytest.raises(ValueError, match="objective is 'ssm'; it must be one of implicit, sliced, denoising"):
        require_objective("ssm")
    with pytest.raises(ValueError, match="law is 'box'; it must be one of gaussian"):
        score_loss("sliced", np.tanh, onp.zeros((2, 2)), Stream(0), STD, law="box")
    with pytest.raises(ValueError, match="projections is 0; it must be >= 1"):
        score_loss("sliced", np.tanh, onp.zeros((2, 2)), Stream(0), STD, projections=0)
