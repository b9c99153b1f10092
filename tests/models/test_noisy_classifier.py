"""A classifier that knows the level of noise, against the exact p(c | x_t)."""

import numpy as np
import pytest

from refgen import training
from refgen.backend import Stream
from refgen.distributions.labelled import labelled
from refgen.formulas.guidance import class_score
from refgen.models.noisy_classifier import NoisyClassifier

LAW = labelled("ring").standardised()[0]
SMALL = NoisyClassifier(T=20, hidden=8, layers=1, features=4, classes=3)


def test_it_learns_the_classes_at_every_level():
    model = NoisyClassifier(hidden=48)
    state = training.start(model, Stream(0), lr=3e-3)
    for _ in training.fit(model, LAW.rows, state, 1000, 128, cool=0.5):
        pass
    for t in (20, 200, 400, 700):
        signal, std = model.levels.level(t)
        x = LAW.law.diffused(signal, std).sample(Stream(1), 2000).astype(np.float32)
        exact = np.exp(LAW.log_classes(x, signal, std))
        found = np.exp(model.log_classes(state.ema, x, signal, std))
        assert np.sqrt(np.mean((found - exact) ** 2)) < 0.04
        wide = np.exp(model.log_classes(state.ema, 3 * x, 3 * signal, 3 * std))  # the same level, other power
        np.testing.assert_allclose(wide, found, atol=1e-4)
    # One that is not told the level is wrong at others: the clean classes at much noise.
    clean = np.exp(LAW.log_classes(x))
    assert np.sqrt(np.mean((clean - exact) ** 2)) > 0.2


def test_untrained_it_is_even_and_the_slope_is_right():
    params, x = SMALL.init(Stream(0)), Stream(1).normal(5, 2, dtype=np.float32)
    np.testing.assert_allclose(SMALL.log_classes(params, x, 0.8, 0.6), -np.log(3), rtol=1e-6)
    params = (params + 0.3 * Stream(2).normal(len(params))).astype(np.float64)
    of_class, x = SMALL.classifier(params, 2), x.astype(np.float64)
    slope, h = class_score(lambda x: of_class(x, 0.8, 0.6), x), 1e-5
    for j, e in enumerate(h * np.eye(2)):
        np.testing.assert_allclose(
            slope[:, j], (of_class(x + e, 0.8, 0.6) - of_class(x - e, 0.8, 0.6)) / (2 * h), rtol=1e-5
        )


def test_bad_options():
    with pytest.raises(ValueError, match=r"^features is 3"):
        NoisyClassifier(features=3)
    for c in (3, -1, 1.5, True):
        with pytest.raises(ValueError, match=rf"^c is {c}; it must be an integer in 0\.\.2"):
            SMALL.classifier(SMALL.init(Stream(0)), c)
