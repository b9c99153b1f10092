"""Metrics and the evaluation take points and streams of any device; results are the same host numbers."""

import json
import math

import numpy as np
import pytest

from refgen import metrics
from refgen.backend import CPU, Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import Empirical, named
from refgen.evaluation import evaluate
from refgen.models.ddpm import DDPM
from tests.device import DEVICES, IDS, ROUNDING, same

RING = named("ring").standardised()[0]
MODEL = DDPM(T=20, hidden=16, layers=2, features=8, variance="optimal")
X, Y = RING.sample(Stream(1), 40), RING.sample(Stream(2), 40)

# Each metric of refgen.metrics, as a function of an array's module and a stream of that device.
METRICS = {
    "auc": lambda xp, rng: metrics.auc(xp.asarray(X[:, 0]), xp.asarray(Y[:9, 1])),
    "directions": lambda xp, rng: metrics.directions(2, 9, rng),
    "mmd": lambda xp, rng: metrics.mmd(xp.asarray(X), xp.asarray(Y), 0.5),
    "mode_weights": lambda xp, rng: metrics.mode_weights(xp.asarray(X), *map(xp.asarray, RING.modes)),
    "sampling_floor": lambda xp, rng: metrics.sampling_floor(RING, 30, xp.asarray(X[:9].T), rng),
    "score_error": lambda xp, rng: metrics.score_error(ExactDenoiser(Empirical(X)), RING, 0.8, 0.6, rng, 50),
    "sliced_wasserstein": lambda xp, rng: metrics.sliced_wasserstein(xp.asarray(X), xp.asarray(Y), X[:9].T),
}


def test_every_metric_is_tried():
    assert sorted(METRICS) == sorted(name for name in metrics.__all__ if name.islower())


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_results_are_those_of_the_host_and_on_the_host(name, device):
    here, there = (METRICS[name](where.xp, Stream(3, device=where)) for where in (CPU, device))
    parts = there if isinstance(there, tuple) else [there]
    assert all(type(part) in (float, np.ndarray) for part in parts)
    same(here, there)


def numbers(report):
    """All numbers of a report, with their places."""
    if isinstance(report, dict | list):
        items = report.items() if isinstance(report, dict) else enumerate(report)
        return {f"{key}/{place}": value for key, part in items for place, value in numbers(part).items()}
    return {"": report}


@pytest.mark.parametrize("law", [RING, Empirical(X)], ids=["ring", "empirical"])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_an_evaluation_on_a_device_is_that_on_the_host(law, device):
    params = 0.1 * Stream(4).normal(MODEL.init(Stream(4)).size, dtype=np.float32)
    reports = [
        evaluate(MODEL, where.xp.asarray(params), law, Stream(5, device=where), n=60, n_directions=8)
        for where in (CPU, device)
    ]
    json.dumps(reports, allow_nan=False)
    assert all(report.pop("seconds") > 0 for report in reports)  # of the clock
    one, other = map(numbers, reports)
    assert one.keys() == other.keys()
    counts = [k for k in one if isinstance(one[k], int | float)]
    assert all(math.isclose(one[k], other[k], rel_tol=1e-3) for k in counts)
    assert all(one[k] == other[k] for k in one if k not in counts)
    assert one == other or ROUNDING or device is not DEVICES[0]
