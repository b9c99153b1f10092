"""Log-densities by the probability flow on a device: as on the host, and nothing is moved."""

import numpy as np
import pytest

from refgen import processes
from refgen.backend import CPU, Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import GaussianMixture
from refgen.likelihood import log_prob
from refgen.models.ddpm import DDPM
from tests.device import DEVICES, DOUBLE, IDS, counting, same

LAW = GaussianMixture([[0.0, 1.0], [2.0, 0.0]], 0.3, [1, 2])
MODEL = DDPM(T=100, hidden=8, layers=1, features=4)


def exact(xp):
    return ExactDenoiser(LAW)


def learned(xp):
    return MODEL.denoiser(xp.asarray(0.3 * Stream(1).normal(MODEL.net.size, dtype=np.float32)))


OPTIONS = [{}, {"trace": "hutchinson", "draws": 2}, {"method": "heun", "batch": 3}]


def run(denoiser, device, options):
    x = Stream(2, device=device).normal(5, 2, dtype=np.float32)
    return log_prob(denoiser, processes.VP(), x, Stream(3, device=device), steps=3, **options)


@pytest.mark.parametrize("make", [exact, learned])
@pytest.mark.parametrize("options", OPTIONS, ids=["exact", "hutchinson", "heun"])
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_it_is_as_on_the_host(device, options, make):
    found = run(make(device.xp), device, options)
    assert all(type(part) is device.xp.ndarray and part.dtype == np.float32 for part in found)
    same(run(make(np), CPU, options), found, rtol=1e-3)


@pytest.mark.parametrize("make", [exact, learned])
def test_nothing_but_the_stream_s_blocks_is_moved(make):
    denoiser = make(DOUBLE.xp)
    run(denoiser, DOUBLE, {})  # parameters are moved once
    with counting() as count:
        run(denoiser, DOUBLE, {"trace": "hutchinson"})
    assert count.transfers == 0


def test_the_exact_law_at_the_end_stays_there():
    denoiser = exact(DOUBLE.xp)
    found = run(denoiser, DOUBLE, {"prior": "exact"})
    with counting() as count:
        run(denoiser, DOUBLE, {"prior": "exact"})
    assert count.transfers == 0
    same(run(denoiser, CPU, {"prior": "exact"}), found, rtol=1e-3)
