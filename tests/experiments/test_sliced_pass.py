"""The one reverse pass of v^T J v."""

import pytest

from refgen.backend import Stream
from refgen.experiments import sliced_pass
from refgen.experiments.outcome import surprises


@pytest.mark.parametrize(("dim", "draws"), [(1, 1), (7, 1), (7, 3)])
def test_one_pass_for_each_direction_and_one_forward(dim, draws):
    found = sliced_pass.cost(dim, draws, Stream(dim))
    assert found["passes"] == draws and found["forwards"] == 1
    assert found["error"] < 1e-12


def test_every_claim_holds_and_the_figure_has_four_steps():
    outcome = sliced_pass.run(Stream(0, "test"), lambda *_: None)
    assert not surprises(outcome) and len(outcome.claims) == 6
    assert len(outcome.figure.axes) == 4


def test_a_wrong_product_is_a_surprise(monkeypatch):
    monkeypatch.setattr(sliced_pass, "trace_along", lambda v, jac: jac[..., 0, 0])
    outcome = sliced_pass.run(Stream(0, "test"), lambda *_: None)
    assert [claim.what for claim in surprises(outcome)] == ["largest distance to v^T J v by the chain rule"]
