"""Data sets from files: CSV with or without a header, NPY and NPZ; a broken file gets one clear line."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

__all__ = ["SUFFIXES", "is_file_name", "read_points"]

TABLES = (".csv", ".tsv", ".txt")
SUFFIXES = (*TABLES, ".npy", ".npz")
LARGEST = 1e100  # so that squares and products of coordinates stay finite


def is_file_name(text: str) -> bool:
    """Whether text looks like a file of points and not like a name: it has a known suffix or a separator."""
    return Path(text).suffix.lower() in SUFFIXES or "/" in text or os.sep in text


def read_points(path: str | os.PathLike, at_least: int = 2) -> np.ndarray:
    """The points in a file, (n, d) float64 with n >= 1 and d >= at_least.

    .csv, .tsv, .txt: one point a line, numbers between commas, semicolons, tabs or blanks, whichever the
    first line has; empty lines and those that begin with # are left out; the first line may be a header, none
    of whose fields is a number. .npy: one array (n, d) of real numbers. .npz: one such array, or several with
    one named x. Python objects are refused. Raises ValueError with file, line where there is one, and rule.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a directory; a file of points is needed")
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path}: unknown kind of file; its name must end in {', '.join(SUFFIXES)}")
    try:
        points = _read_table(path) if suffix in TABLES else _read_array(path, suffix)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or _line(error)})") from None
    if len(points) == 0:
        raise ValueError(f"{path}: holds no points; at least one is needed")
    if points.shape[1] < at_least:
        raise ValueError(f"{path}: has {points.shape[1]} column(s); points need at least {at_least}")
    return points


def _read_table(path: Path) -> np.ndarray:
    rows: list[list[float]] = []
    columns, separator, header = 0, "", False
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            for number, line in enumerate(file, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                if not columns:
                    separator = next((mark for mark in ",;\t" if mark in line), "")
                fields = next(csv.reader([line], delimiter=separator)) if separator else line.split()
                if not columns:
                    columns = len(fields)
                    header = all(_number(field) is None for field in fields)
                    if header:
                        continue
                if len(fields) != columns:
                    first = "the header" if header else "the first line"
                    raise ValueError(
                        f"{path}, line {number}: {len(fields)} columns where {first} has {columns}; "
                        "all lines must have the same number"
                    )
                rows.append(
                    [
                        _checked(field, f"{path}, line {number}, column {j}")
                        for j, field in enumerate(fields, 1)
                    ]
                )
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text in UTF-8; points must be written in plain text") from None
    except csv.Error as error:
        raise ValueError(f"{path}: is not a table of numbers ({error})") from None
    return np.array(rows, dtype=np.float64).reshape(len(rows), columns)


def _read_array(path: Path, suffix: str) -> np.ndarray:
    kind = "NPY" if suffix == ".npy" else "NPZ"
    try:
        loaded = np.load(path, allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else _only_array(loaded)
    except OSError:
        raise
    except Exception as error:  # a broken file raises zip, zlib, header, pickle and memory errors
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            rule = "it holds Python objects or is no such file; only arrays of numbers are read"
        else:
            rule = _line(error)
        raise ValueError(f"{path}: cannot be read as {kind}: {rule}") from None
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{path}: holds an array of {_line(array.dtype)}; points must be real numbers")
    if array.ndim != 2:
        raise ValueError(f"{path}: holds an array of shape {array.shape}; points must be a table (n, d)")
    points = array.astype(np.float64)
    bad = ~(np.abs(points) <= LARGEST)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{path}, row {row}, column {column} (from 0): {points[row, column]}; numbers must be finite and "
            f"at most {LARGEST:g} in size"
        )
    return points


def _only_array(loaded: np.lib.npyio.NpzFile) -> np.ndarray:
    with loaded:
        names = loaded.files
        if len(names) == 1 or "x" in names:
            return np.asarray(loaded["x" if "x" in names else names[0]])
    raise ValueError(f"it holds {len(names)} arrays ({', '.join(names[:5])}); one is needed, or one named x")


def _number(field: str) -> float | None:
    """The field as a number, or None where it is not one. Digits in groups (1_000) are not."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


def _checked(field: str, where: str) -> float:
    number = _number(field)
    if number is None:
        raise ValueError(f"{where}: {field[:40]!r} is not a number")
    if not abs(number) <= LARGEST:
        raise ValueError(f"{where}: {field[:40]!r}; numbers must be finite and at most {LARGEST:g} in size")
    return number


def _line(error: object) -> str:
    """A message as one short line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
