"""A diffusion model told a label or not: what it is told, what it learns, and that it is a DDPM without."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions.labelled import labelled
from refgen.metrics import score_error
from refgen.models.conditional_ddpm import ConditionalDDPM, one_hot

SMALL = ConditionalDDPM(T=50, hidden=16, layers=2, features=8, classes=3)


def some_params(model):
    return (0.3 * Stream(1).normal(model.net.size)).astype(np.float32)


def rows(labels, n=40):
    return np.concatenate(
        [Stream(2).normal(n, 2, dtype=np.float32), np.resize(labels, (n, 1))], 1, dtype=np.float32
    )


def test_labels_are_told_and_those_that_are_none_are_not():
    assert one_hot(np.array([2.0, 0.0, -1.0, 7.0]), 3).tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
    ]
    params, x = some_params(SMALL), Stream(3).normal(6, 2, dtype=np.float32)
    each = SMALL.denoiser(params, np.array([0, 1, 2, 0, 1, -1])).eps(x, 0.8, 0.6)
    for k, label in enumerate([0, 1, 2, 0, 1, None]):
        np.testing.assert_allclose(
            SMALL.denoiser(params, label).eps(x, 0.8, 0.6)[k], each[k], rtol=1e-4, atol=1e-5
        )
    assert not np.allclose(
        SMALL.denoiser(params, 0).eps(x, 0.8, 0.6), SMALL.denoiser(params, 1).eps(x, 0.8, 0.6)
    )
    conditional, free = (SMALL.denoiser(params, label).eps(x, 0.8, 0.6) for label in (1, None))
    guided = SMALL.guided(params, 1, 2.0).eps(x, 0.8, 0.6)
    np.testing.assert_allclose(guided, 2 * conditional - free, rtol=1e-3, atol=1e-4)


def test_labels_are_left_out_as_often_as_is_said():
    """The slope of the weights of the labels is zero where every label is left out, and only there."""
    weights = slice(2 + SMALL.features, 2 + SMALL.features + SMALL.classes)

    def slope(model, labels):
        g = grad(model.loss)(some_params(model), rows(labels), Stream(4))
        return np.abs(model.net.layout.views(g)[0][weights]).sum(axis=1)

    assert np.all(slope(SMALL, [-1]) == 0)
    assert np.array_equal(slope(SMALL, [1]) > 0, [False, True, False])
    seen, points = [], rows([1], 4000)
    told = SMALL._told
    for dropout in (0.1, 0.5):
        model = ConditionalDDPM(T=50, hidden=4, layers=1, features=8, classes=3, dropout=dropout)
        net, here = model.net, []

        class Watched:
            def __call__(self, params, x, features, net=net, here=here):
                here.append(features[:, -2] > 0)  # the middle one of three classes
                return net(params, x, features)

        model.__dict__["net"] = Watched()
        model.loss((0 * Stream(0).normal(net.size)).astype(np.float32), points, Stream(5))
        seen.append(1 - here[0].mean())
    np.testing.assert_allclose(seen, [0.1, 0.5], atol=0.04)
    assert told(np.array([1.0])).max() == pytest.approx(2.0)  # sqrt(features / 2)


def test_it_learns_both_scores():
    law = labelled("ring").standardised()[0]
    model = ConditionalDDPM(hidden=64, layers=2, features=32)
    state = training.start(model, Stream(0), lr=3e-3)
    for _ in training.fit(model, law.rows, state, 1200, 128, cool=0.5):
        pass
    for t, bound in [(400, 0.1), (700, 0.1)]:
        level = model.levels.level(t)
        for label, exact in [(None, law.law), (0, law.conditional(0)), (1, law.conditional(1))]:
            assert score_error(model.denoiser(state.ema, label), exact, *level, Stream(1), 2000) < bound
    level = model.levels.level(400)
    other = score_error(model.denoiser(state.ema, 1), law.conditional(0), *level, Stream(1), 2000)
    assert other > 0.5  # the other label's score is another one
    drawn = model.sample(state.ema, 500, Stream(2), steps=100, denoiser=model.guided(state.ema, 0, 1.0))
    nearest = np.argmin(np.linalg.norm(drawn[:, None] - law.law.means, axis=-1), axis=1)
    assert np.mean(law.classes[nearest] == 0) > 0.95


def test_without_a_label_it_is_a_ddpm():
    params = some_params(SMALL)
    x = SMALL.sample(params, 7, Stream(6), denoiser=ExactDenoiser(labelled("ring").law))
    assert x.shape == (7, 2) and np.all(np.isfinite(x))
    assert SMALL.log_prob(params, x, Stream(7)).shape == (7,)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"classes": 0}, "classes is 0"), ({"dropout": 0.0}, "dropout is 0.0"), ({"dropout": 1.0}, "dropout")],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        ConditionalDDPM(**options)
    for label in (3, -1, 1.5, True):
        with pytest.raises(ValueError, match=rf"^label is {label}; it must be an integer in 0\.\.2"):
            SMALL.denoiser(some_params(SMALL), label)


def test_a_label_may_be_a_number_of_numpys():
    x, params = np.zeros((3, 2), np.float32), some_params(SMALL)
    one, other = (SMALL.denoiser(params, label).eps(x, 0.6, 0.8) for label in (2, np.int64(2)))
    np.testing.assert_array_equal(one, other)


def test_the_model_of_a_class_asks_the_guided_denoiser():
    params, x = some_params(SMALL), Stream(3).normal(6, 2, dtype=np.float32)
    told = SMALL.of_class(1, 2.0)
    guided = SMALL.guided(params, 1, 2.0)
    np.testing.assert_array_equal(told.denoiser(params).eps(x, 0.8, 0.6), guided.eps(x, 0.8, 0.6))
    np.testing.assert_array_equal(
        told.sample(params, 7, Stream(6)), SMALL.sample(params, 7, Stream(6), denoiser=guided)
    )
    bounds = [model.log_prob(params, x, Stream(7)) for model in (SMALL, SMALL.of_class(1), told)]
    assert not np.allclose(bounds[0], bounds[1]) and not np.allclose(bounds[1], bounds[2])
    np.testing.assert_array_equal(
        SMALL.of_class(1, 0.0).log_prob(params, x, Stream(7)), bounds[0]
    )  # unconditional
    with pytest.raises(ValueError, match=r"^label is 3; it must be an integer in 0\.\.2"):
        SMALL.of_class(3)


def test_rows_without_labels_are_refused():
    with pytest.raises(ValueError, match=r"^x has shape \(5, 2\); it must be \(n, 3\), labels last"):
        SMALL.loss(SMALL.init(Stream(0)), np.zeros((5, 2), np.float32), Stream(1))
