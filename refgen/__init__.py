"""refgen: the executable reference for generative models, in plain NumPy."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["CheckError", "__version__", "check"]


def __getattr__(name: str) -> Any:
    # Lazily, so that the command line's --help does not import NumPy.
    if name in ("check", "CheckError"):
        from refgen.cards import run

        return getattr(run, name)
    raise AttributeError(f"module 'refgen' has no attribute {name!r}")
