"""Every sampler, walked by its registry, with exact and learned denoisers: as on the host, no transfers."""

import numpy as np
import pytest

from refgen import samplers
from refgen.backend import CPU, Stream
from refgen.denoisers import ExactDenoiser, LearnedDenoiser, OneLevelDenoiser
from refgen.distributions import NAMES, Boxes, Empirical, GaussianMixture, named
from refgen.ladders import Ladder
from refgen.models.ddpm import DDPM
from refgen.processes import VP
from refgen.samplers.ancestral import optimal_variances, step_variances
from refgen.schedules import linear
from tests.device import DEVICES, DOUBLE, IDS, counting, same

SCHEDULE = linear(1000).respaced(12)
MODEL = DDPM(T=1000, hidden=16, layers=2, features=8)
LAWS = {name: named(name) for name in NAMES} | {
    "empirical": Empirical(Stream(0).normal(30, 2)),
    "full": GaussianMixture([[0.0, 1.0], [2.0, 0.0]], [np.eye(2), [[0.5, 0.2], [0.2, 0.4]]], [1, 2]),
    "noisy boxes": Boxes([[0.0, 0.0], [2.0, 2.0]], [[1.0, 1.0], [3.0, 3.0]], noise=0.3),
}


class ByEps(ExactDenoiser):
    """The exact denoiser asked by way of its score, the other entry to an exact law."""

    def x_0(self, x, signal, std):
        return super(ExactDenoiser, self).x_0(x, signal, std)


def exact(law):
    return lambda xp: ExactDenoiser(law)


def learned(xp):
    """A network with random weights, also in its last layer, which `init` leaves at zero."""
    params = xp.asarray(0.3 * Stream(1).normal(MODEL.init(Stream(1)).size, dtype=np.float32))
    return MODEL.denoiser(params)


def by_target(target):
    """A network for another target, as a formula of the level."""
    return lambda xp: LearnedDenoiser(lambda x, log_snr: 0.5 * x / (1 + abs(log_snr)), target)


DENOISERS = {
    **{name: exact(law) for name, law in LAWS.items()},
    **{f"{name} by eps": lambda xp, law=law: ByEps(law) for name, law in LAWS.items() if name not in NAMES},
    "network": learned,
    **{f"network for {target}": by_target(target) for target in ("x_0", "score", "v")},
}


def levels_of(sampler, steps=12):
    """The schedule's levels; for the sampler that needs a process between them, a grid."""
    return VP().grid(steps) if sampler == "probability_flow" else SCHEDULE.respaced(steps)


def run(sampler, make, device, schedule=None, dtype=np.float32, **options):
    rng, schedule = Stream(2, device=device), schedule or levels_of(sampler)
    x_T = rng.normal(9, 2, dtype=dtype)
    return samplers.named(sampler)(make(device.xp), schedule, x_T, rng, **options)


# Every sampler with every denoiser that has what it needs.
PAIRS = [
    pytest.param(sampler, make, id=f"{sampler}-{name}")
    for sampler in samplers.NAMES
    for name, make in DENOISERS.items()
    if sampler not in ("mala", "smc") or "network" not in name
]
ONE_LEVEL = {name: {"steps": 4} for name in ("langevin", "mala", "underdamped")} | {
    "smc": {"steps": 3, "per_stage": 1}
}
READ = {"smc": 3}  # once a stage, whether there is anything to choose the points by
FEW = ONE_LEVEL | {"annealed_langevin": {"steps": 2}}  # of many more


def options(sampler, levels):
    """What a sampler is given besides: few steps, or variances that were found before."""
    return {"variance": step_variances(levels)} if sampler == "analytic" else FEW.get(sampler, {})


@pytest.mark.parametrize(("sampler", "make"), PAIRS)
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_points_are_as_on_the_host(sampler, make, device):
    given = options(sampler, SCHEDULE)
    points = run(sampler, make, device, **given)
    assert type(points) is device.xp.ndarray
    assert points.dtype == np.float32
    same(run(sampler, make, CPU, **given), points, rtol=1e-3)


@pytest.mark.parametrize(("sampler", "make"), PAIRS)
def test_the_loop_moves_nothing_but_the_stream_s_blocks(sampler, make):
    rng, denoiser = Stream(3, device=DOUBLE), make(DOUBLE.xp)
    x_T = rng.normal(9, 2, dtype=np.float32)
    walk = samplers.named(sampler)
    two = levels_of(sampler, 2)
    walk(denoiser, two, x_T, rng, **options(sampler, two))  # parameters, nodes and the like are moved once
    for steps in (2,) if sampler in ONE_LEVEL else (2, 4):
        levels = levels_of(sampler, steps)
        given = options(sampler, levels)
        if sampler in ("mala", "smc"):
            denoiser.log_prob(x_T, *levels.level(1))  # the noisy law, too
        with counting() as count:
            walk(denoiser, levels, x_T, rng, **given)
        assert count.transfers == READ.get(sampler, 0)
        assert count.blocks == 0


@pytest.mark.parametrize("sampler", ONE_LEVEL)
@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_a_model_of_one_level_is_sampled_as_on_the_host_and_moves_nothing(sampler, device):
    def energy(xp):
        return OneLevelDenoiser(lambda x: -x - x**3, 0.1, lambda x: -np.sum(x**2 / 2 + x**4 / 4, axis=-1))

    options = {"denoise": False, "trajectory": dict.fromkeys([3, 2, 0]), **FEW[sampler]}
    with counting() as count:
        points = run(sampler, energy, device, Ladder([0.0, 0.1]), **options)
    assert count.transfers == (READ.get(sampler, 0) if device is DOUBLE else 0)
    kept = dict(options["trajectory"])
    same(run(sampler, energy, CPU, Ladder([0.0, 0.1]), **options), points, rtol=1e-3)
    same(options["trajectory"], kept, rtol=1e-3)


def test_a_denoiser_that_moves_is_counted():
    def moving(x, log_snr):
        return DOUBLE.xp.asarray(0.1 * x.get())

    with counting() as count:
        run("ancestral", lambda xp: LearnedDenoiser(moving), DOUBLE)
    assert count.transfers == 2 * 12
    assert count.blocks == 1


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_kept_times_and_other_variances_are_as_on_the_host(device):
    for variance in ("large", step_variances(SCHEDULE, "small") / 2):
        kept = [dict.fromkeys([12, 5, 1, 0]) for _ in range(2)]
        results = [
            run("ancestral", learned, where, variance=variance, trajectory=times)
            for where, times in zip((CPU, device), kept, strict=True)
        ]
        same(*results, rtol=1e-3)
        same(*kept, rtol=1e-3)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_samplers_of_the_flow_are_as_on_the_host_in_every_order(device):
    ways = [
        ("ddim", {"eta": 0.5}),
        *[(name, {"order": k}) for name in ("dpm_solver", "dpm_multistep") for k in (1, 3)],
    ]
    for sampler, given in ways:
        kept = [dict.fromkeys([12, 5, 1, 0]) for _ in range(2)]
        for where, times in zip((CPU, device), kept, strict=True):
            run(sampler, learned, where, trajectory=times, **given)
        same(*kept, rtol=1e-3)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_other_ways_through_continuous_time_are_as_on_the_host(device):
    ways = [
        ("edm", {"churn": 3.0}),
        ("predictor_corrector", {"step": 0.1, "steps": 2}),
        *[("probability_flow", {"method": method}) for method in ("euler", "rk4", "rk45")],
    ]
    for sampler, given in ways:
        kept = [dict.fromkeys([12, 5, 1, 0]) for _ in range(2)]
        for where, times in zip((CPU, device), kept, strict=True):
            run(sampler, learned, where, trajectory=times, **given)
        assert all(type(x) is device.xp.ndarray for x in kept[1].values())
        same(*kept, rtol=1e-3)


def test_the_method_of_scipy_moves_the_points_to_the_host_and_back_at_each_call():
    calls = []

    def predict(x, log_snr):
        calls.append(log_snr)
        return 0.1 * x

    with counting() as count:
        run("probability_flow", lambda xp: LearnedDenoiser(predict), DOUBLE, method="rk45")
    # The last call, for x_0, moves nothing; the start goes home, and the end comes back.
    assert count.transfers == 2 * (len(calls) - 1) + 2


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_optimal_variances_are_as_on_the_host_and_read_the_device_once(device):
    law = LAWS["full"]
    data = law.sample(Stream(4), 50).astype(np.float32)
    denoiser = ExactDenoiser(law)
    expected = optimal_variances(denoiser, SCHEDULE, data, Stream(5))
    x_0 = device.xp.asarray(data)
    optimal_variances(denoiser, SCHEDULE, x_0, Stream(5, device=device))
    with counting() as count:
        found = optimal_variances(denoiser, SCHEDULE, x_0, Stream(5, device=device))
    same(expected, found, rtol=1e-3)
    assert type(found) is np.ndarray
    assert count.transfers == (2 if device is DOUBLE else 0)  # the errors of all steps, the data's variance
