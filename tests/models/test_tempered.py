"""Tempering: selection keeps shares, and the weights of modes that are apart are found."""

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import named
from refgen.metrics import mode_weights
from refgen.models.tempered import selected, tempered
from refgen.samplers.mala import adjusted


def test_each_point_is_kept_as_often_as_its_share_says():
    log_weight = Stream(0).normal(50) * 2 - 900
    chosen = selected(log_weight, Stream(1))
    share = np.exp(log_weight - log_weight.max())
    assert chosen.shape == (50,)
    assert np.all(np.abs(np.bincount(chosen, minlength=50) - 50 * share / share.sum()) < 1)
    equal = selected(np.zeros(50), Stream(2))
    assert sorted(equal.tolist()) == list(range(50))


def test_the_weights_of_modes_are_found_and_without_selection_are_not():
    law = named("two_gaussians").standardised()[0]
    exact, level = ExactDenoiser(law), (1.0, 0.05)
    x = 2 * Stream(0).normal(4000, 2)

    def points(stages, per_stage):
        return tempered(
            lambda x: exact.log_prob(x, *level),
            lambda x: exact.score(x, *level),
            2.0,
            x,
            Stream(1),
            0.005,
            stages,
            per_stage,
        )

    found = points(25, 3)
    assert np.all(np.abs(mode_weights(found, *law.modes).z) < 4)
    noisy = law.diffused(*level)
    assert abs(np.mean(noisy.log_prob(found)) + noisy.entropy) < 0.06
    stay, _ = adjusted(
        lambda x: exact.log_prob(x, *level), lambda x: exact.score(x, *level), x, Stream(1), 0.005, 75
    )
    assert mode_weights(stay, *law.modes).z.max() > 10  # the start's shares


def test_ancestors_are_kept_in_order():
    law = named("two_gaussians").standardised()[0]
    exact, level = ExactDenoiser(law), (1.0, 0.3)
    kept, x = dict.fromkeys([5, 2, 0]), 2 * Stream(0).normal(600, 2)
    end = tempered(
        lambda x: exact.log_prob(x, *level),
        lambda x: exact.score(x, *level),
        2.0,
        x,
        Stream(1),
        0.05,
        5,
        2,
        kept,
    )
    assert kept[0] is end
    rows = {tuple(row) for row in x}
    assert all(tuple(row) in rows for row in kept[5])  # each point's ancestor at the start
    assert np.mean(np.sum((end - kept[2]) ** 2, axis=1)) < np.mean(np.sum((end - kept[5]) ** 2, axis=1))
