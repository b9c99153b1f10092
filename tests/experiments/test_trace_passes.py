"""Reverse passes of a trace."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import trace_passes
from refgen.experiments.outcome import surprises
from refgen.experiments.trace_passes import chain_rule, network, recovered


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_each_pass_recovers_one_entry(dim):
    net, params, x = network(dim, Stream(dim))
    diagonal, passes = recovered(net, params, x)
    assert passes == list(range(1, dim + 1))
    exact = np.diagonal(chain_rule(net, params, x), axis1=1, axis2=2)
    assert pytest.approx(exact, abs=1e-12) == diagonal.T
    assert np.max(abs(exact)) > 1e-3


def test_the_chain_rule_is_the_slope_of_the_network():
    net, params, x = network(3, Stream(0))
    jacobian, h = chain_rule(net, params, x), 1e-6
    for j, step in enumerate(h * np.eye(3)):
        numeric = (net(params, x + step) - net(params, x - step)) / (2 * h)
        assert jacobian[:, :, j] == pytest.approx(numeric, abs=1e-8)


def test_every_claim_holds_and_the_figure_has_a_panel_for_each_pass():
    outcome = trace_passes.run(Stream(0, "test"), lambda *_: None)
    assert not surprises(outcome)
    assert [row["passes_of_the_trace"] for row in outcome.numbers["networks"]] == [1, 2, 3, 10, 50]
    assert len(outcome.figure.axes) == 3


def test_a_pass_too_many_is_a_surprise(monkeypatch):
    real = trace_passes.sliced_trace

    def twice(f, x, v):
        real(f, x, v)
        return real(f, x, v)

    monkeypatch.setattr(trace_passes, "sliced_trace", twice)
    outcome = trace_passes.run(Stream(0, "test"), lambda *_: None)
    assert [claim.what for claim in surprises(outcome)] == ["entries that did not come with one pass each"]
