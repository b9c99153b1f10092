"""What a step of score matching costs."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import cost_by_dimension as cost
from refgen.experiments.outcome import surprises
from refgen.models.score_objectives import OBJECTIVES
from refgen.nets.mlp import MLP


def test_reverse_passes_are_d_and_one_and_none():
    dims = (1, 2, 3, 7, 20)
    assert cost.passes(dims, Stream(0)) == {
        "implicit": [1, 2, 3, 7, 20],
        "sliced": [1] * 5,
        "denoising": [0] * 5,
    }


def test_a_pass_by_x_would_be_seen_in_denoising_too(monkeypatch):
    real = cost.score_loss
    monkeypatch.setattr(cost, "score_loss", lambda o, score, *rest: real("implicit", score, *rest))
    assert cost.passes((3,), Stream(0))["denoising"] == [6]  # 3 by `trace`, and seen again in the network


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_step_gives_the_gradient_of_every_parameter(objective):
    gradient = cost.training_step(objective, 4, Stream(0))()
    net = MLP(4, 4, hidden=cost.HIDDEN, layers=cost.LAYERS)
    assert gradient.shape == (net.size,) and gradient.dtype == np.float32
    # Of implicit score matching the trace does not know the last bias; the square does.
    assert np.all(np.isfinite(gradient)) and np.mean(gradient != 0) > 0.9


def test_time_grows_faster_for_the_trace():
    dims, said = (4, 64), []
    seconds = cost.measure(dims, Stream(0), rounds=3, say=lambda *words: said.append(words))
    power = cost.slopes(dims, seconds)
    assert power["implicit"] - power["sliced"] > 0.4 and power["implicit"] - power["denoising"] > 0.4
    assert said[-1] == ("timing the steps", 3, 3)


def test_slopes_of_exact_powers():
    found = cost.slopes((8, 16, 64), {"a": [8**1.5, 16**1.5, 64**1.5], "b": [2.0, 2.0, 2.0]})
    assert found == pytest.approx({"a": 1.5, "b": 0.0})


def test_memory_grows_with_the_passes():
    small, large = (cost.peak_memory("implicit", dim, Stream(0)) for dim in (4, 16))
    assert 2 < large / small < 8  # four times the passes, all of them kept
    assert cost.peak_memory("sliced", 16, Stream(0)) < large / 2


@pytest.mark.slow
def test_every_claim_holds():
    outcome = cost.run(Stream(0, "test"), lambda *_: None)
    assert not surprises(outcome)
