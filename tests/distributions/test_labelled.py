"""Labels: a mixture split into its classes, and p(c | x_t) at every level of noise."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions import Boxes, GaussianMixture, named
from refgen.distributions.labelled import CLASSES, Labelled, labelled

FULL = Labelled(
    GaussianMixture(
        [[0.0, 1.0], [2.0, 0.0], [-1.0, 0.5]], [np.eye(2), 0.5 * np.eye(2) + 0.2, 2 * np.eye(2)], [1, 2, 3]
    ),
    [1, 0, 1],
)
LAWS = [*map(labelled, CLASSES), FULL]
LEVELS = [(1.0, 0.0), (0.8, 0.6), (0.05, 1.0)]


@pytest.mark.parametrize("law", LAWS, ids=[*CLASSES, "full"])
@pytest.mark.parametrize(("signal", "std"), LEVELS)
def test_classes_are_bayes_rule_over_all_components(law, signal, std):
    """The responsibilities of the noisy components, added up by class."""
    noisy = law.law.diffused(signal, std)
    x = noisy.sample(Stream(0), 40)
    found = law.log_classes(x, signal, std)
    parts = np.stack(
        [
            np.log(w) + GaussianMixture([m], cov if np.ndim(cov) < 2 else [cov]).log_prob(x)
            for w, m, cov in zip(
                noisy.weights,
                noisy.means,
                noisy.covs if noisy.covs.ndim == 3 else [noisy.covs] * len(noisy.means),
                strict=True,
            )
        ],
        axis=1,
    )
    parts = np.exp(parts - parts.max(axis=1, keepdims=True))
    by_class = np.stack([parts[:, law.classes == c].sum(axis=1) for c in range(law.count)], axis=1)
    np.testing.assert_allclose(np.exp(found), by_class / by_class.sum(axis=1, keepdims=True), atol=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=[*CLASSES, "full"])
def test_the_classes_together_are_the_law(law):
    x = law.law.sample(Stream(1), 50)
    whole = np.log(sum(law.prior[c] * np.exp(law.conditional(c).log_prob(x)) for c in range(law.count)))
    np.testing.assert_allclose(whole, law.law.log_prob(x), rtol=1e-9, atol=1e-9)
    assert law.prior.sum() == pytest.approx(1, abs=1e-12)


def test_points_are_those_of_the_law_and_labels_are_true():
    for law in LAWS:
        x, c = law.sample(Stream(2), 3000)
        assert np.array_equal(x, law.law.sample(Stream(2), 3000))
        counts = np.bincount(c, minlength=law.count)
        spread = np.sqrt(3000 * law.prior * (1 - law.prior))
        assert np.all(abs(counts - 3000 * law.prior) < 4.5 * spread)
        # Calibrated: the mean of p(c | x) over the points of a label is what its own law says.
        p = np.exp(law.log_classes(x))
        z = (np.eye(law.count)[c] - p).sum(axis=0) / np.sqrt((p * (1 - p)).sum(axis=0) + 1e-9)
        assert np.all(abs(z) < 4.5)
    x, c = labelled("moons").sample(Stream(3), 2000)
    wrong = np.exp(labelled("moons").log_classes(x))[np.arange(2000), 1 - c]
    assert wrong.mean() < 0.05  # labels the wrong way round would give 0.95


def test_rows_and_units():
    law = labelled("ring")
    rows = law.rows.sample(Stream(4), 100)
    x, c = law.sample(Stream(4), 100)
    assert rows.shape == (100, 3) and np.array_equal(rows[:, :2], x) and np.array_equal(rows[:, 2], c)
    small, shift, scale = law.standardised()
    np.testing.assert_allclose(small.log_classes((x - shift) / scale), law.log_classes(x), atol=1e-9)
    assert law.log_classes(x.astype(np.float32)).dtype == np.float32
    assert law.log_classes(x[:0]).shape == (0, 2) and law.sample(Stream(0), 0)[1].shape == (0,)
    noisy, level = law.diffused(0.8, 0.6), (0.8, 0.6)
    np.testing.assert_allclose(noisy.log_classes(x), law.log_classes(x, *level), atol=1e-12)
    whole = law.law.noisy_log_prob(x, *level)
    np.testing.assert_allclose(whole, law.law.diffused(*level).log_prob(x), atol=1e-12)
    np.testing.assert_array_equal(law.classifier(1)(x, 0.8, 0.6), law.log_classes(x, 0.8, 0.6)[:, 1])


def test_named_classes_are_what_they_are_called():
    angles = np.arctan2(*labelled("ring").conditional(0).means.T[::-1])
    assert np.all((angles > -1e-9) & (angles < np.pi - 1e-9))  # one half
    assert {len(labelled("grid").conditional(c).means) for c in range(5)} == {5}
    inner = labelled("circles").conditional(1)
    np.testing.assert_allclose(np.linalg.norm(inner.means, axis=1), 1.5)


def test_what_has_no_classes_is_refused():
    with pytest.raises(ValueError, match=r"^swiss_roll has no classes; there are two_gaussians, ring"):
        labelled("swiss_roll")
    with pytest.raises(ValueError, match=r"^law is a Boxes"):
        Labelled(Boxes([[0.0]], [[1.0]]), [0])
    for classes, said in [([0, 1], "8 integers"), (np.zeros(8), "8 integers"), ([0, 2] * 4, "without a gap")]:
        with pytest.raises(ValueError, match=said):
            Labelled(named("ring"), classes)
    with pytest.raises(ValueError, match=r"^c is 2; the classes are 0\.\.1"):
        labelled("ring").conditional(2)
