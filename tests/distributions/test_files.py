"""Files of points: what is read, and one clear line for each broken one."""

import io
import os
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from refgen.distributions import Empirical, load, named
from refgen.distributions.files import read_points

POINTS = np.array([[1.0, -2.5], [3e-3, 4.0], [0.0, 7.0]])


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = {
    "plain.csv": b"1,-2.5\n3e-3,4\n0,7\n",
    "header.csv": b"x,y\n1,-2.5\n3e-3,4\n0,7\n",
    "quoted.csv": b'"x","y"\n"1","-2.5"\n3e-3,4\n0,7\n',
    "windows.csv": b"\xef\xbb\xbfx,y\r\n1,-2.5\r\n3e-3,4\r\n0,7",
    "semicolons.csv": b"1;-2.5\n3e-3;4\n0;7\n",
    "comments.csv": b"# two columns\n\n1, -2.5\n# more\n3e-3 ,4\n\n0,7\n\n",
    "tabs.tsv": b"x\ty\n1\t-2.5\n3e-3\t4\n0\t7\n",
    "blanks.txt": b"  1  -2.5\n3e-3 4\n0 7\n",
    "UPPER.CSV": b"1,-2.5\n3e-3,4\n0,7\n",
    "array.npy": npy(POINTS),
    "fortran.npy": npy(np.asfortranarray(POINTS)),
    "one.npz": npz(data=POINTS),
    "named.npz": npz(x=POINTS, seed=np.array(3)),
}

BROKEN = {
    "ragged.csv": (b"1,2\n3,4,5\n", "line 2: 3 columns where the first line has 2"),
    "short.csv": (b"x,y\n1,2\n3\n", "line 3: 1 columns where the header has 2"),
    "word.csv": (b"x,y\n1,2\n3,four\n", "line 3, column 2: 'four' is not a number"),
    "gap.csv": (b"1,2\n3,\n", "line 2, column 2: '' is not a number"),
    "mixed.csv": (b"1,two\n3,4\n", "line 1, column 2: 'two' is not a number"),
    "nan.csv": (b"1,2\nnan,4\n", "line 2, column 1: 'nan'; numbers must be finite"),
    "inf.csv": (b"1,2\n3,-inf\n", "line 2, column 2: '-inf'; numbers must be finite"),
    "huge.csv": (b"1,2\n3,1e999\n", "line 2, column 2: '1e999'; numbers must be finite"),
    "empty.csv": (b"", "holds no points"),
    "only_header.csv": (b"x,y\n", "holds no points"),
    "one_column.csv": (b"1\n2\n", "has 1 column.*at least 2"),
    "latin.csv": ("1,2\n3,é\n".encode("latin-1"), "not text in UTF-8"),
    "binary.csv": (npy(POINTS), "not text in UTF-8|not a number|columns"),
    "text.npy": (b"1,2\n3,4\n", "cannot be read as NPY"),
    "empty.npy": (b"", "cannot be read as NPY"),
    "cut.npy": (npy(POINTS)[:-8], "cannot be read as NPY"),
    "cut_header.npy": (npy(POINTS)[:40], "cannot be read as NPY"),
    "objects.npy": (npy(np.array([[1, "a"], [None, {}]], dtype=object)), "only arrays of numbers"),
    "complex.npy": (npy(POINTS + 1j), "must be real numbers"),
    "words.npy": (npy(np.array([["a", "b"]])), "must be real numbers"),
    "flat.npy": (npy(POINTS.ravel()), r"shape \(6,\); points must be a table"),
    "cube.npy": (npy(np.zeros((2, 2, 2))), "must be a table"),
    "rowless.npy": (npy(np.zeros((0, 2))), "holds no points"),
    "column.npy": (npy(np.zeros((5, 1))), "has 1 column"),
    "columnless.npy": (npy(np.zeros((5, 0))), "has 0 column"),
    "nan.npy": (npy(np.array([[1.0, 2.0], [3.0, np.nan]])), "row 1, column 1 .*nan; numbers must be finite"),
    "two.npz": (npz(a=POINTS, b=POINTS), r"2 arrays \(a, b\)"),
    "none.npz": (npz(), "0 arrays"),
    "objects.npz": (npz(x=np.array([None, 1], dtype=object)), "only arrays of numbers"),
    "cut.npz": (npz(x=POINTS)[:60], "cannot be read as NPZ"),
    "damaged.npz": (npz(x=POINTS).replace(POINTS.tobytes(), bytes(POINTS.nbytes)), "cannot be read as NPZ"),
    "points.xlsx": (b"PK", "unknown kind of file"),
    "points": (b"1,2\n", "unknown kind of file"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(GOOD[name])
    points = read_points(path)
    assert_array_equal(points, POINTS)
    assert points.dtype == np.float64
    assert isinstance(load(str(path)), Empirical)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files(tmp_path, name):
    contents, message = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=message) as error:
        read_points(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_member_that_is_no_array(tmp_path):
    path = tmp_path / "notes.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(ValueError, match="must be real numbers"):
        read_points(path)


def test_missing_directory_and_forbidden(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.csv: no such file"):
        read_points(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match="is a directory"):
        read_points(tmp_path / "folder.csv")
    path = tmp_path / "secret.csv"
    path.write_text("1,2\n")
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(ValueError, match=r"cannot be read \(Permission denied\)"):
            read_points(path)


def test_one_column_where_it_is_asked_for(tmp_path):
    path = tmp_path / "line.csv"
    path.write_text("1\n2\n")
    assert_array_equal(read_points(path, at_least=1), [[1.0], [2.0]])


def test_integers_and_float32_become_float64(tmp_path):
    for dtype in (np.int8, np.uint64, np.float32, np.float16):
        np.save(tmp_path / "a.npy", np.array([[1, 2], [3, 4]], dtype=dtype))
        assert read_points(tmp_path / "a.npy").dtype == np.float64


def test_load_takes_names_and_files():
    assert load("ring") is named("ring")
    with pytest.raises(ValueError, match="did you mean ring"):
        load("rings")
    with pytest.raises(ValueError, match=r"rings\.csv: no such file"):
        load("rings.csv")
