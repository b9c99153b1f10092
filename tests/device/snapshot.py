"""What CuPy offers, read from the installed package: its names, parameters and methods.

`python -m tests.device.snapshot` writes cupy_api.json, which drives the double. CuPy is imported, so it must
be installed; no GPU, driver or CUDA toolkit is needed.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["FILE", "snapshot", "write"]

FILE = Path(__file__).with_name("cupy_api.json")


def snapshot() -> dict[str, Any]:
    """The names that CuPy shares with NumPy. A function is told by its parameters, 'a, axis=, *, out='."""
    import cupy

    array, generator = cupy.ndarray, cupy.random.Generator
    return {
        "cupy": cupy.__version__,
        "constants": sorted(
            name
            for name in dir(np)
            if isinstance(getattr(np, name), float | type | None) and hasattr(cupy, name) and name[0] != "_"
        ),
        "functions": _functions(np, cupy, "") | _functions(np.linalg, cupy.linalg, "linalg."),
        "methods": {
            name: _parameters(getattr(array, name))
            for name in dir(array)
            if callable(getattr(array, name)) and name[0] != "_"
        },
        "attributes": [name for name in dir(array) if not callable(getattr(array, name)) and name[0] != "_"],
        "generator": {
            name: _parameters(getattr(generator, name)) for name in dir(generator) if name[0] != "_"
        },
    }


def _functions(host: ModuleType, device: ModuleType, prefix: str) -> dict[str, str]:
    return {
        prefix + name: _parameters(getattr(device, name))
        for name in sorted(dir(host))
        if callable(getattr(host, name)) and not isinstance(getattr(host, name), type)
        if callable(getattr(device, name, None)) and name[0] != "_"
    }


def _parameters(function: Any) -> str:
    """'ufunc 2' for one of two inputs, 'a, axis=, *, out=' for others, '*args, **kwargs' where unknown."""
    if hasattr(function, "nin"):
        return f"ufunc {function.nin}"
    if type(function).__name__ == "_GUFunc":  # matmul, which takes what a ufunc takes
        return "ufunc 2"
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # compiled: the first line of its docstring has them, with their types
        line = (function.__doc__ or "").split("\n")[0]
        if "(" not in line:
            return "*args, **kwargs"
        parts = line[line.index("(") + 1 : line.rindex(")")].split(", ")
        words = [part.split("=")[0].split()[-1] + "=" * ("=" in part) for part in parts]
        return ", ".join(word for word in words if word != "self")
    words = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not any(word.startswith("*") for word in words):
            words.append("*")
        stars = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        words.append(stars + p.name + "=" * (p.default is not p.empty))
    return ", ".join(word for word in words if word != "self")


def write() -> None:
    """Write the snapshot, one line a name."""
    FILE.write_text(json.dumps(snapshot(), indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    write()
