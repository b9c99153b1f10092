"""Files that are never half written, and broken ones."""

import errno
import os
import pickle

import numpy as np
import pytest

from refgen import checkpoints

ARRAYS = {"params": np.arange(5000, dtype=np.float32), "name": np.array("text"), "step": np.array(3)}


def test_what_is_saved_is_loaded(tmp_path):
    checkpoints.save(tmp_path / "c.npz", ARRAYS)
    loaded = checkpoints.load(tmp_path / "c.npz")
    assert loaded.keys() == ARRAYS.keys()
    assert all(np.array_equal(loaded[k], ARRAYS[k]) and loaded[k].dtype == ARRAYS[k].dtype for k in ARRAYS)
    assert os.listdir(tmp_path) == ["c.npz"]


@pytest.mark.parametrize("keep", [0, 1, 50, 300, 10_000, -100, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "c.npz"
    checkpoints.save(path, ARRAYS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"c\.npz is not a whole checkpoint: "):
        checkpoints.load(path)


def test_damaged_bytes_are_noticed(tmp_path):
    path = tmp_path / "c.npz"
    checkpoints.save(path, ARRAYS)
    data = bytearray(path.read_bytes())
    data[8000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load(path)


def test_other_kinds_of_file_are_refused(tmp_path):
    path = tmp_path / "c.npz"
    for content in (b"step,loss\n1,2\n", pickle.dumps({"params": 1}), b"\x89PNG\r\n", b"PK\x03\x04junk"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole checkpoint"):
            checkpoints.load(path)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="it holds a single array"):
        checkpoints.load(path)
    with pytest.raises(ValueError, match="there is no"):
        checkpoints.load(tmp_path / "missing.npz")


def test_nothing_in_a_file_is_executed(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    np.savez(tmp_path / "c.npz", params=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="not a whole checkpoint"):
        checkpoints.load(tmp_path / "c.npz")
    assert not (tmp_path / "exploded").exists()


def test_a_full_disk_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "c.npz"
    checkpoints.save(path, ARRAYS)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*c\.npz: No space left on device; what stood there"):
        checkpoints.save(path, {"params": np.zeros(3)})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.npz"]


def test_a_real_full_device_is_one_clear_line(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    folder = tmp_path / "missing"
    with pytest.raises(OSError, match=r"cannot write .*: No such file or directory"):
        checkpoints.save(folder / "c.npz", ARRAYS)
    os.mkdir(folder)
    os.symlink("/dev/full", folder / f".c.npz.{os.getpid()}.tmp")
    with pytest.raises(OSError, match=r"cannot write .*: No space left on device"):
        checkpoints.save(folder / "c.npz", ARRAYS)
    assert os.listdir(folder) == []
