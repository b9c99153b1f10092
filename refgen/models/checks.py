"""What the models check of their hyper-parameters alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["require_even_features", "require_whole"]


def require_whole(model: Any, most: Mapping[str, int]) -> None:
    """Raise ValueError unless each of these fields is an integer from 1 to its most."""
    for name, limit in most.items():
        value = getattr(model, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= limit:
            raise ValueError(f"{name} is {value!r}; it must be an integer in 1..{limit}")


def require_even_features(model: Any) -> None:
    """Raise ValueError unless features, sines and cosines of the noise level, is even."""
    if model.features % 2:
        raise ValueError(f"features is {model.features}; it must be an even number")
