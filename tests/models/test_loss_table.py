"""The table of the loss: weights by hand, rows that follow the levels, and a copy elsewhere."""

import numpy as np
import pytest

from refgen.models.loss_table import LossTable, loss_table
from refgen.nets.embedding import embedding
from refgen.samplers.ancestral import step_variances
from refgen.schedules import linear

LEVELS = linear(1000).respaced(8)
SNR = np.exp(LEVELS.log_snr[1:])


@pytest.mark.parametrize(
    ("target", "weighting", "expected"),
    [
        ("eps", "simple", np.ones(8)),
        ("eps", "snr", np.minimum(SNR, 5) / SNR),
        ("x_0", "simple", SNR),
        ("x_0", "snr", np.minimum(SNR, 5)),
    ],
)
def test_weights(target, weighting, expected):
    table = loss_table(LEVELS, target, 4, weighting, 2, None)
    np.testing.assert_allclose(table.weight[1:], expected, rtol=1e-6)
    assert table.constant == 0


def test_the_weights_of_the_bound_are_those_of_its_terms_times_T():
    var = step_variances(LEVELS, "small").copy()
    var[1] = 0.01
    table = loss_table(LEVELS, "eps", 4, "elbo", 2, var)
    np.testing.assert_allclose(table.weight[1], 8 / (2 * 0.01 * SNR[0]), rtol=1e-6)
    np.testing.assert_allclose(table.weight[2:], 8 / 2 * (SNR[:-1] / SNR[1:] - 1), rtol=1e-5)
    assert table.constant == pytest.approx(np.log(2 * np.pi * 0.01))  # of L_0 in 2 dimensions; no gap


def test_rows_are_float32_at_the_levels():
    table = loss_table(LEVELS, "v", 4, "simple", 2, None)
    np.testing.assert_allclose(table.signal[1:, 0], LEVELS.signal[1:], rtol=1e-6)
    np.testing.assert_allclose(table.std[1:, 0], LEVELS.std[1:], rtol=1e-6)
    np.testing.assert_array_equal(table.features, embedding(LEVELS.log_snr, 4))
    assert all(column.dtype == np.float32 for column in table[:-1])


def test_a_copy_elsewhere_holds_the_same():
    class Elsewhere:
        asarray = staticmethod(lambda column: column.tolist())

    table = loss_table(LEVELS, "eps", 4, "simple", 2, None)
    copy = table.on(Elsewhere)
    assert isinstance(copy, LossTable)
    assert copy.weight == table.weight.tolist()
    assert copy.constant == table.constant
