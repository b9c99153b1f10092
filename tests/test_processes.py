"""Processes in continuous time and grids on them: what they hold, how they meet chains, what is refused."""

import dataclasses
import math

import numpy as np
import pytest

from refgen import processes
from refgen.ladders import geometric
from refgen.processes import EDM, SPACINGS, VE, VP, Cosine, Grid, Straight, SubVP, increments, named, through
from refgen.schedules import cosine, linear

KINDS = [named(name) for name in processes.NAMES]
CHAINS = [linear(1000), cosine(50), geometric(10, 4.0, 0.02)]
ALL = KINDS + [through(levels) for levels in CHAINS]
IDS = [process.name for process in KINDS] + ["through linear", "through cosine", "through ladder"]


def times_of(process, n=50):
    return np.linspace(process.t_min, process.t_max, n)


@pytest.mark.parametrize("process", ALL, ids=IDS)
def test_numbers_are_python_floats_and_arrays_keep_their_shape(process):
    t = times_of(process, 6)
    for method in (process.signal, process.std, process.log_snr, process.drift, process.diffusion_var):
        values = method(t.reshape(2, 3))
        assert values.shape == (2, 3) and values.dtype == np.float64
        for time, value in zip(t.tolist(), values.ravel().tolist(), strict=True):
            assert type(method(time)) is float and method(time) == pytest.approx(value, rel=1e-14)
    assert process.level(0.5) == (process.signal(0.5), process.std(0.5))
    assert all(type(a) is float for a in (*process.level(0.5), process.time(process.log_snr(0.5))))


@pytest.mark.parametrize("process", ALL, ids=IDS)
def test_noise_grows_and_its_log_snr_has_an_inverse(process):
    t = times_of(process)
    log_snr = process.log_snr(t)
    assert np.all(np.diff(log_snr) < 0) and np.all(process.diffusion_var(t) > 0)
    assert np.all(process.drift(t) <= 0)
    np.testing.assert_allclose(log_snr, 2 * np.log(process.signal(t) / process.std(t)), atol=1e-10)
    np.testing.assert_allclose(process.time(log_snr), t, rtol=1e-10)
    assert 0 < process.t_min < process.t_max


@pytest.mark.parametrize("process", [VP(), VP(2.0, 2.0), Cosine(), through(linear(1000))])
def test_variance_preserving_noise_has_unit_power(process):
    t = times_of(process)
    np.testing.assert_allclose(process.signal(t) ** 2 + process.std(t) ** 2, 1, rtol=1e-14)
    np.testing.assert_allclose(process.diffusion_var(t), -2 * process.drift(t), rtol=1e-12)


def test_known_levels():
    assert VP().level(1.0) == pytest.approx((math.exp(-5.025), math.sqrt(1 - math.exp(-10.05))))
    assert SubVP().std(0.3) == pytest.approx(VP().std(0.3) ** 2) and SubVP().signal(0.3) == VP().signal(0.3)
    assert VE().level(0.5) == pytest.approx((1, math.sqrt(0.02 * 4)))
    assert EDM().level(3.0) == (1.0, 3.0) and EDM().diffusion_var(3.0) == 6.0
    assert (EDM(0.01, 5.0).t_min, EDM(0.01, 5.0).t_max) == (0.01, 5.0)
    assert Straight().level(0.25) == (0.75, 0.25) and Straight().drift(0.5) == -2.0
    assert Cosine().log_snr(0.5) == pytest.approx(0, abs=1e-15)
    assert Cosine().signal(0.5) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("process", [VP(), SubVP(), Cosine(), Straight()])
def test_nothing_is_lost_next_to_clean_data(process):
    """At t = 1e-13 the variance is of the order t or t^2; 1 - signal^2 would have three digits of it."""
    t = 1e-13
    slope = process.diffusion_var(t)
    exact = {"vp": slope * t, "sub-vp": (0.1 * t) ** 2, "cosine": (math.pi * t / 2) ** 2, "straight": t**2}
    assert process.std(t) ** 2 == pytest.approx(exact[process.name], rel=1e-10, abs=0)
    assert process.time(process.log_snr(t)) == pytest.approx(t, rel=1e-10, abs=0)
    assert process.log_snr(0.0) == math.inf and process.level(0.0) == (1.0, 0.0)


@pytest.mark.parametrize("levels", CHAINS, ids=["linear", "cosine", "ladder"])
def test_a_process_through_a_chain_meets_every_level(levels):
    process, t = through(levels), np.arange(1, levels.T + 1) / levels.T
    np.testing.assert_allclose(process.signal(t), levels.signal[1:], rtol=1e-12)
    np.testing.assert_allclose(process.std(t), levels.std[1:], rtol=1e-12)
    between = process.log_snr(0.5 * (t[1:] + t[:-1]))
    assert np.all((between < levels.log_snr[1:-1]) & (between > levels.log_snr[2:]))


def test_the_process_through_ddpm_is_nearly_vp():
    """The usual thousand betas are those of beta from 0.1 to 20."""
    t = np.linspace(0.05, 1, 20)
    chain = through(linear(1000))
    np.testing.assert_allclose(chain.signal(t), VP().signal(t), rtol=0.04)
    np.testing.assert_allclose(chain.diffusion_var(t), VP().diffusion_var(t), rtol=0.02)
    assert chain.t_min == 1e-3 and chain.t_max == 1.0


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("process", ALL, ids=IDS)
def test_grids_go_from_the_first_to_the_last_time(process, spacing):
    for steps in (1, 2, 3, 10):
        grid = process.grid(steps, spacing)
        assert steps == grid.T and len(grid.times) == steps + 1 and grid.time(steps) == process.t_max
        assert grid.time(1) == (process.t_min if steps > 1 else process.t_max)
        assert (grid.times[0], grid.signal[0], grid.std[0], grid.log_snr[0]) == (0, 1, 0, math.inf)
        assert grid.level(0) == (1.0, 0.0) and grid.level(steps) == process.level(process.t_max)
        assert np.all(np.diff(grid.log_snr) < 0)
        assert type(grid.time(1)) is type(grid.level(1)[1]) is float
    even = {
        "time": grid.times,
        "log_snr": grid.log_snr,
        "edm": np.exp(-grid.log_snr / 14),
    }[spacing][1:]
    np.testing.assert_allclose(np.diff(even), (even[-1] - even[0]) / 9, rtol=1e-7)


def test_a_grid_from_elsewhere_and_with_fewer_levels():
    grid = VP().grid(11, "time", first=0.1, last=0.6)
    np.testing.assert_allclose(grid.times[1:], np.linspace(0.1, 0.6, 11), rtol=1e-14)
    for steps in (1, 2, 3, 10, 11):
        few = grid.respaced(steps)
        assert steps == few.T and few.times[-1] == 0.6 and set(few.times) <= set(grid.times)
    assert few.process is grid.process
    for array in (grid.times, grid.signal, grid.std, grid.log_snr):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_increments_are_those_of_each_kind_of_levels():
    schedule, ladder, grid = linear(100), geometric(10, 4.0, 0.02), VP().grid(5, "time")
    assert increments(schedule, 7) == (-schedule.beta[7] / 2, schedule.beta[7])
    assert increments(ladder, 3) == (0.0, pytest.approx(ladder.std[3] ** 2 - ladder.std[2] ** 2))
    dt = grid.time(3) - grid.time(2)
    expected = VP().drift(grid.time(3)) * dt, VP().diffusion_var(grid.time(3)) * dt
    assert increments(grid, 3) == pytest.approx(expected)
    for levels in (schedule, ladder, grid):
        assert all(type(a) is float for a in increments(levels, levels.T))
        for k in (0, 1, levels.T + 1):
            with pytest.raises(ValueError, match=f"k is {k}; it must lie in 2..{levels.T}"):
                increments(levels, k)


def test_the_chains_and_the_processes_have_the_same_increments_in_the_limit():
    """A fine grid on VP has DDPM's increments, one on VE those of a ladder."""
    vp, ddpm = Grid(VP(), np.arange(1001) / 1000), linear(1000)
    one_step = 1.001 * (ddpm.beta[2] - ddpm.beta[1])  # whose first beta is that of time 0, not of 1 / T
    for k in (2, 500, 1000):
        np.testing.assert_allclose(increments(vp, k), increments(ddpm, k), rtol=0, atol=one_step)
    ve = VE().grid(2001)
    ladder = geometric(2001, 4.0, VE().std(VE().t_min))
    for k in (2, 1000, 2001):
        np.testing.assert_allclose(increments(ve, k), increments(ladder, k), rtol=0.003)


def test_a_time_that_rounding_put_beyond_an_end_is_that_end():
    line = through(geometric(20, 4.0, 0.02))
    below = np.nextafter(line.t_min, 0)
    assert below < line.earliest
    assert line.level(float(below)) == line.level(line.t_min)
    assert VP().std(1 + 1e-15) == VP().std(1.0)


def test_equal_parameters_are_equal_processes():
    assert named("vp", beta_max=5.0) == VP(0.1, 5.0) != VP() and hash(VE()) == hash(VE())
    with pytest.raises(dataclasses.FrozenInstanceError):
        VP().beta_min = 3.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VE(2.0, 1.0), "smallest is 2.0, largest 1.0; 0 < smallest < largest"),
        (lambda: EDM(0.0, 1.0), "smallest is 0.0"),
        (lambda: VP(3.0, 1.0), "beta_min is 3.0, beta_max 1.0; 0 < beta_min <= beta_max"),
        (lambda: SubVP(beta_max=math.inf), "beta_max inf"),
        (lambda: VP().std(1.5), "t is 1.5; a time of vp lies in 0..1"),
        (lambda: VP().std(math.nan), "t is nan"),
        (lambda: VP().std(-1e-9), "t is -1e-09; a time of vp lies in 0..1"),
        (lambda: VE().level(-0.1), "t is -0.1"),
        (lambda: through(linear(100)).std(np.array([0.5, 0.001])), "t is 0.001 to 0.5; a time of through"),
        (lambda: Cosine().time(math.nan), "log_snr is nan; that of cosine lies in -inf to inf"),
        (lambda: VP().time(-math.inf), "log_snr is -inf; that of vp lies in -10.05 to inf"),
        (lambda: SubVP().time(-1e4), "log_snr is -10000; that of sub-vp lies in -10.05 to inf"),
        (lambda: VP().time(-20.0), "log_snr is -20; that of vp lies in -10.05 to inf"),
        (lambda: through(linear(100)).time(30.0), "log_snr is 30"),
        (lambda: EDM().time(-math.inf), "log_snr is -inf; that of edm lies in -1420 to inf"),
        (lambda: through(VP()), "levels is a VP; it must be a Schedule or a Ladder"),
        (lambda: through(VP().grid(3)), "levels is a Grid"),
        (lambda: through(linear(100).respaced(1)), "levels has one level"),
        (lambda: VP().grid(0), "steps is 0; it must be an integer >= 1"),
        (lambda: VP().grid(2.0), "steps is 2.0"),
        (lambda: VP().grid(3, "even"), "spacing is 'even'; it must be one of log_snr, time, edm"),
        (lambda: VP().grid(3, first=0.5, last=0.5), "first is 0.5, last 0.5; 0 < first < last"),
        (lambda: VP().grid(3, first=0.0), "first is 0.0"),
        (lambda: VP().grid(3, last=2.0), "t is 2"),
        (lambda: Straight().grid(3, last=1.0), "the log-SNR of straight"),
        (lambda: Grid(VP(), np.array([0.1, 0.2])), "the first 0"),
        (lambda: Grid(VP(), np.array([0.0])), r"times has shape \(1,\)"),
        (lambda: Grid(VP(), np.array([0, 0.5, 0.5])), r"times\[2\] is 0.5, not above 0.5"),
        (lambda: VP().grid(3).level(4), "level 4 is asked for; it must lie in 0..3"),
        (lambda: VP().grid(3).time(-1), "level -1"),
        (lambda: VP().grid(3).respaced(4), "steps is 4; it must be an integer in 1..3"),
        (lambda: VP().grid(3).respaced(2.5), "steps is 2.5; it must be an integer in 1..3"),
        (lambda: named("subvp"), "no process 'subvp'; did you mean sub-vp"),
        (lambda: named("vp", largest=3.0), "process vp has no largest; it has beta_min, beta_max"),
        (lambda: named("cosine", largest=3.0), "it has no parameters"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
