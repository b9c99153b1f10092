"""Streams: same seed same numbers on every device, named sub-streams independent, a saved state continues to
the bit. Devices: what is not there is said in one line, and CuPy is imported when it is asked for.
"""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from refgen import backend
from refgen.backend import CPU, Stream, to_host
from tests.device import DEVICES, DOUBLE, IDS, counting, same

BLOCK = 2048  # instead of the real size of a block, so that its edges cost little

KINDS = {
    "normal": lambda rng, *shape: rng.normal(*shape),
    "normal float32": lambda rng, *shape: rng.normal(*shape, dtype=np.float32),
    "uniform": lambda rng, *shape: rng.uniform(*shape),
    "uniform float32": lambda rng, *shape: rng.uniform(*shape, dtype=np.float32),
    "integers": lambda rng, *shape: rng.integers(0, 7, *shape),
    "large integers": lambda rng, *shape: rng.integers(-5, 2**40, *shape),
}
SHAPES = [(3,), (), (4, 2), (0,), (BLOCK - 20,), (30, 2), (BLOCK + 3,), (5,), (2, BLOCK), (1,)]  # over edges


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(backend, "BLOCK", BLOCK)


def test_same_seed_same_numbers():
    assert np.array_equal(Stream(3, "a").normal(5, 2), Stream(3, "a").normal(5, 2))
    assert np.array_equal(Stream(3).spawn("a").normal(5), Stream(3, "a").normal(5))


@pytest.mark.parametrize(
    "other", [Stream(4), Stream(3, "a"), Stream(3, "a", "b"), Stream(3, "ab"), Stream(3, "b")]
)
def test_other_names_are_other_streams(other):
    x, y = Stream(3).normal(4000), other.normal(4000)
    assert abs(np.mean(x * y)) < 4.5 / np.sqrt(4000)  # uncorrelated, as independent normals are
    assert not np.array_equal(Stream(3, "a", "b").normal(5), Stream(3, "ab").normal(5))


def test_a_saved_state_continues_to_the_bit():
    stream = Stream(0, "x")
    stream.normal(7)
    saved = stream.state
    ahead = stream.normal(10), stream.uniform(3), stream.integers(0, 9, 4)
    stream.restore(saved)
    for x, y in zip(ahead, (stream.normal(10), stream.uniform(3), stream.integers(0, 9, 4)), strict=True):
        assert np.array_equal(x, y)


def test_dtypes_and_ranges():
    stream = Stream(1)
    assert stream.normal(3, 2, dtype=np.float32).dtype == np.float32
    assert stream.uniform(5, dtype=np.float32).dtype == np.float32
    drawn = stream.integers(2, 5, 1000)
    assert drawn.min() == 2 and drawn.max() == 4
    u = stream.uniform(1000)
    assert u.min() >= 0 and u.max() < 1


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None])
def test_a_seed_is_an_integer(seed):
    with pytest.raises(ValueError, match="it must be an integer >= 0"):
        Stream(seed)


NEGATIVE = json.dumps({"normal float64": {"bits": np.random.PCG64(0).state, "used": -1}})


@pytest.mark.parametrize(
    "state", ["", "[]", "nonsense", '{"normal float64": {}}', '{"a": "MT19937"}', NEGATIVE]
)
def test_a_state_that_is_none(state):
    with pytest.raises(ValueError, match="not the state"):
        Stream(0).restore(state)


def test_to_host_copies_nothing_on_the_host():
    x = np.ones(3)
    assert to_host(x) is x


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_gets_the_numbers_of_the_host(kind, device):
    host, there = Stream(5, "a"), Stream(5, "a", device=device)
    for shape in SHAPES:
        x, y = KINDS[kind](host, *shape), KINDS[kind](there, *shape)
        assert type(y) is device.xp.ndarray and y.shape == shape
        assert np.array_equal(x, to_host(y)) and np.result_type(x) == y.dtype


def test_kinds_that_alternate_disturb_each_other_nowhere():
    host, there, alone = Stream(5), Stream(5, device=DOUBLE), Stream(5)
    for _ in range(3):
        for draw in KINDS.values():
            same(draw(host, 40), draw(there, 40))
    assert np.array_equal(Stream(5).uniform(120)[80:], [*alone.uniform(80), *alone.uniform(40)][80:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("before", "after"), [(CPU, DOUBLE), (DOUBLE, CPU), (DOUBLE, DOUBLE)])
def test_a_state_continues_on_another_device(kind, before, after):
    draw = KINDS[kind]
    for used in ([7], [BLOCK], [BLOCK + 7], [BLOCK - 3, 10], [9, BLOCK, 9]):
        first = Stream(2, "x", device=before)
        for n in used:
            draw(first, n)
        saved = first.state
        ahead = to_host(draw(first, BLOCK + 9))
        second = Stream(2, "x", device=after)
        second.restore(saved)
        assert second.state == saved  # restored and saved again at once
        assert np.array_equal(ahead[:5], to_host(draw(second, 5)))
        again = Stream(2, "x", device=before)
        again.restore(second.state)
        assert np.array_equal(ahead[5:], to_host(draw(again, BLOCK + 4)))


def test_kinds_are_independent():
    stream, n = Stream(1), 4000
    u, k = stream.uniform(n) - 0.5, stream.integers(0, 2**40, n) / 2**40 - 0.5
    assert abs(np.mean(u * k)) * 12 < 4.5 / np.sqrt(n)  # of the same bits they would be the same numbers


def test_a_state_before_the_first_number():
    stream = Stream(2)
    stream.restore(Stream(2).state)
    assert np.array_equal(stream.normal(4), Stream(2).normal(4))


def test_a_state_goes_back_to_a_kind_that_had_not_begun():
    stream, before = Stream(2), Stream(2).state
    first = stream.uniform(3)
    stream.restore(before)
    assert np.array_equal(stream.uniform(3), first)


def test_a_broken_state_changes_nothing():
    stream, other = Stream(2), Stream(2)
    stream.normal(3), other.normal(3)
    with pytest.raises(ValueError, match="not the state"):
        stream.restore(NEGATIVE)
    assert np.array_equal(stream.normal(3), other.normal(3))


def test_what_is_handed_out_may_be_written_to():
    stream, other = Stream(2, device=DOUBLE), Stream(2)
    for n in (5, BLOCK, 5):
        x = stream.normal(n)
        assert np.array_equal(to_host(x), other.normal(n))
        x *= 0


def test_a_block_moves_once():
    stream = Stream(0, device=DOUBLE)
    with counting() as count:
        for _ in range(64):
            stream.normal(BLOCK // 64)
    assert (count.transfers, count.blocks) == (0, 1)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_numbers_drawn_on_the_device(device):
    stream = Stream(3, device=device, on_device=True)
    with counting() as count:
        x, u, k = stream.normal(20000, dtype=np.float32), stream.uniform(20000), stream.integers(0, 3, 100)
    assert (count.transfers, count.blocks) == (0, 0) and x.dtype == np.float32
    x, u = to_host(x), to_host(u)
    assert abs(x.mean()) < 0.03 and abs(x.std() - 1) < 0.03 and abs(u.mean() - 0.5) < 0.01
    assert set(to_host(k).tolist()) == {0, 1, 2}
    with pytest.raises(ValueError, match="no state that can be saved"):
        stream.state  # noqa: B018
    again = Stream(3, device=device, on_device=True)
    assert np.array_equal(to_host(again.normal(20000, dtype=np.float32)), x)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_streams_on_the_device_have_names_too(device):
    root = Stream(3, device=device, on_device=True)
    drawn = [to_host(rng.normal(4000)) for rng in (root, root.spawn("a"), root.spawn("b"))]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.mean(drawn[i] * drawn[j])) < 4.5 / np.sqrt(4000)


def test_a_spawned_stream_keeps_the_device():
    assert Stream(0, device=DOUBLE).spawn("a").xp is DOUBLE.xp
    assert Stream(0, on_device=True).normal(2).tolist() == Stream(0).normal(2).tolist()


def test_to_host_brings_an_array_home():
    assert to_host(DOUBLE.xp.ones(3)).tolist() == [1, 1, 1]


def test_the_cpu_is_the_device_by_default():
    assert backend.device() is CPU and backend.device("cpu") is CPU and CPU.xp is np


@pytest.mark.parametrize("name", ["tpu", "", "GPU", None])
def test_another_device(name):
    with pytest.raises(ValueError, match="it must be cpu or gpu"):
        backend.device(name)


def fake(count):
    def devices():
        if isinstance(count, Exception):
            raise count
        return count

    runtime = SimpleNamespace(getDeviceCount=devices)
    array = type("ndarray", (), {})
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), __version__="14.2.0", ndarray=array)


@pytest.mark.parametrize(
    ("cupy", "said"),
    [
        (None, "CuPy is not there .*pip install"),
        (fake(0), "CuPy 14.2.0 finds no GPU: no device"),
        (fake(RuntimeError("cudaErrorInsufficientDriver")), "finds no GPU: cudaErrorInsufficientDriver"),
    ],
)
def test_no_gpu_is_said_in_one_line(monkeypatch, cupy, said):
    monkeypatch.setitem(sys.modules, "cupy", cupy)  # None makes the import fail
    monkeypatch.setattr(backend, "_gpu", backend._gpu.__wrapped__)
    with pytest.raises(ValueError, match=said) as error:
        backend.device("gpu")
    assert "\n" not in str(error.value)


def test_a_gpu_is_a_device_whose_arrays_autograd_knows(monkeypatch):
    cupy = fake(1)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(backend, "_gpu", backend._gpu.__wrapped__)
    assert backend.device("gpu") == ("gpu", cupy)
    assert backend.array_module(cupy.ndarray()) is cupy


def test_cupy_is_not_imported_with_the_backend(tmp_path):
    (tmp_path / "cupy.py").write_text("raise SystemExit('CuPy was imported')")
    code = "import refgen.backend, refgen.formulas, refgen.nets, sys; sys.exit('cupy' in sys.modules)"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("device", ["gpu", "cpu", np, None])
def test_a_stream_takes_a_device_not_its_name(device):
    with pytest.raises(ValueError, match=r"it must be a Device, such as backend\.device\('gpu'\)"):
        Stream(0, device=device)
