"""A user's formula that is right for one point and wrong for two is refused; others are left alone."""

import autograd.numpy as np
import pytest

from refgen.cards import CARDS, verify
from refgen.cards.batches import on_batches
from refgen.cards.load import load_cards
from refgen.formulas import elbo, gaussian, mixture, posterior

load_cards()


def kl_over_axis_0(mean_0, mean_1, var):
    return np.sum((mean_0 - mean_1) ** 2, axis=0) / (2 * var)


def kl_over_all(mean_0, mean_1, var):
    return np.sum((mean_0 - mean_1) ** 2) / (2 * var)


def kl_of_one_point(mean_0, mean_1, var):
    return (mean_0 - mean_1) @ (mean_0 - mean_1) / (2 * var)


def mean_of_the_first(x_t, x_0, alpha_t, alpha_bar_s):
    own = posterior.posterior_mean(x_t, x_0, alpha_t, alpha_bar_s)
    return own if own.ndim == 1 else own[:1] + 0 * own


@pytest.mark.parametrize(
    ("id", "formula"),
    [
        ("GAU-5", kl_over_axis_0),
        ("GAU-5", kl_over_all),
        ("GAU-5", kl_of_one_point),
        ("POST-5/mean", mean_of_the_first),
    ],
)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_formula_that_is_wrong_for_two_points_fails(id, formula, precision):
    report = verify(CARDS[id], formula=formula, examples=10, precision=precision, shrinks=20)
    assert report["status"] == "fail"
    assert "two points at once" in report["failure"]["note"] or "raised" in report["failure"]["note"]


def test_one_that_is_right_for_both_passes():
    report = verify(CARDS["GAU-5"], formula=lambda a, b, var: ((a - b) ** 2).sum(-1) / (2 * var), examples=10)
    assert report["status"] == "pass"


@pytest.mark.parametrize(
    ("library", "args", "calls"),
    [
        (gaussian.kl_same_var, (np.ones(2), np.zeros(2), 1.0), 4),
        (mixture.log_prob, (np.ones(1), np.ones(1), np.zeros((1, 1)), np.ones((1, 1, 1))), 4),
        (elbo.weight_spread, (np.array([0.1, 0.2]),), 1),  # a schedule, (T,)
        (gaussian.kl_same_var, (np.ones((3, 2)), np.zeros((3, 2)), 1.0), 1),  # many points already
        (posterior.posterior_var, (0.5, 0.5), 1),
    ],
)
def test_only_what_the_library_calls_points_is_stacked(library, args, calls):
    made = []
    checked = on_batches(lambda *a: made.append(a) or library(*a), library)
    assert np.array_equal(checked(*args), library(*args))
    assert len(made) == calls
    assert np.shape(made[0][-1]) == np.shape(args[-1])
