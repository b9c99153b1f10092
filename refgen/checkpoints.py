"""Files that are never half written: a temporary file beside the old one, renamed when it is whole."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

__all__ = ["load", "replace_file", "save", "write_text"]

# What reading a file that is no .npz, or not a whole one, may raise.
BROKEN = (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def replace_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file whole or not at all; what stood there before stays until then.

    write: is given the open file. Raises OSError with one line that says why: a full disk, a read-only
    folder.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        kept = "; what stood there before is untouched" if path.exists() else ""
        raise OSError(f"cannot write {path}: {error.strerror or error}{kept}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Raises OSError as `replace_file` does."""
    replace_file(path, lambda file: file.write(text.encode()))


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays by name to an .npz file, whole or not at all. Raises OSError as `replace_file` does."""
    replace_file(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `save` wrote. Nothing in the file is executed (no pickle).

    Raises ValueError with one line where the file is missing, cut short, or another kind of file.
    """
    try:
        with open(path, "rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise ValueError(f"there is no {path}") from None
    except BROKEN as error:
        raise ValueError(f"{path} is not a whole checkpoint: {error}") from None
