"""The bound and the gap of a linear variational autoencoder: closed forms, phases, random pushes."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import posterior_gap as experiment
from refgen.experiments.outcome import surprises
from refgen.formulas import latent

X = experiment.LAW.sample(Stream(0), 50)


def quiet(*_):
    pass


def test_what_is_measured_is_the_mean_over_draws():
    decoder, encoder = np.array([0.8, -0.4, 0.1, 0.2, -0.5]), np.array([0.4, -0.2, 0.1, -0.6])
    log_p, bound, gap = experiment.measured(decoder, encoder, X)
    assert gap > 0.05 and log_p == pytest.approx(bound + gap, abs=1e-12)
    mean = X @ encoder[:2, None] + encoder[2]
    z = latent.draw(mean, np.exp(encoder[3]), Stream(1).normal(20_000, 50, 1))
    x_mean = z * decoder[:2] + decoder[2:4]
    weights = latent.log_weight(
        X + 0 * x_mean, z, x_mean, np.exp(decoder[4]), mean + 0 * z, np.exp(encoder[3])
    )
    each = np.mean(weights, axis=1)
    assert abs(np.mean(each) - bound) < 5 * np.std(each) / np.sqrt(len(each))
    assert np.mean(latent.importance_bound(weights, axis=0)) == pytest.approx(log_p, abs=0.01)


def test_a_phase_moves_what_it_says():
    path = experiment.trained_in_turns(X, (("encoder alone", (0, 1), 8), ("decoder alone", (1, 0), 4)))
    assert path.shape == (13, 3) and np.all(np.diff(path[:, 1]) > 0)
    assert np.ptp(path[:9, 0]) == 0 and np.all(np.diff(path[:9, 2]) < 0)
    assert np.all(np.diff(path[8:, 0]) != 0)


def test_encoder_pushes_trade_bound_for_gap_and_decoder_pushes_need_not():
    moves = experiment.pushed(X, Stream(2), 150, 0.1)
    assert np.all(moves["encoder"][:, 0] == 0)
    np.testing.assert_allclose(moves["encoder"][:, 1], -moves["encoder"][:, 2], atol=1e-12)
    decoder = moves["decoder"]
    assert 1 <= np.sum((decoder[:, 1] > 0) & (decoder[:, 2] > 0)) <= 30  # seen in the long run: 1 in 16
    np.testing.assert_allclose(decoder[:, 0], decoder[:, 1] + decoder[:, 2], atol=1e-12)


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(experiment.run(Stream(0), quiet))
