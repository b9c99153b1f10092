"""What the numbers were measured on."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError, version

from timing import markdown

from refgen.machine import report


def measure(threads: int, quick: bool) -> tuple[str, dict[str, float]]:
    """The table; no ratios."""
    found = report()
    rows = [
        ["processor", f"{found['system']['processor']}, {os.cpu_count()} cores, {found['system']['memory']}"],
        ["system", f"{found['system']['platform']}, Python {found['system']['python']}"],
        ["NumPy", f"{version('numpy')}, autograd {version('autograd')}"],
        ["BLAS", f"{found['blas']['name']}, kernels {found['blas']['kernels']}, one thread a product"],
        ["OPENBLAS_CORETYPE", os.environ.get("OPENBLAS_CORETYPE", "not set")],
        ["beside it", f"torch {installed('torch')}, jax {installed('jax')}"],
        ["torch.compile", compiler() or "left out: there is no C++ compiler"],
        ["load when it began", f"{os.getloadavg()[0]:.1f} processes"],
    ]
    return markdown(["", ""], rows), {}


def compiler() -> str | None:
    """The C++ compiler that torch.compile needs, or None."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))), None)


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not there"
