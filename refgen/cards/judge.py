"""Judging one check: how far the claim is from the derivation, in the units of the card's tolerance."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import numpy as np

from refgen.cards.card import Card
from refgen.cards.inject import on_copies

__all__ = ["Refused", "Verdict", "judge", "plain"]

# A relative error needs a floor, or an exact zero could never be met.
_SCALE_FLOOR = 1e-12


class Refused(ValueError):
    """What stands around a formula has something against it; the message is shown as it is."""


@dataclass(frozen=True)
class Verdict:
    """error: see Card.tolerance (inf where the two cannot be compared); note says why; both numbers."""

    error: float
    claimed: Any = None
    derived: Any = None
    note: str = ""
    fault: bool = False  # the derivation itself failed: the card is at fault, not the formula
    comparable: bool = True  # False where the formula raised, or returned no numbers of the right shape


def judge(card: Card, formula: Callable[..., Any], inputs: dict[str, Any]) -> Verdict:
    """Run the card's check on one input and compare what it returns."""
    assert card.check is not None
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            claimed, derived, *scale = card.check(on_copies(formula), **inputs)
    except Refused as error:
        return Verdict(np.inf, note=str(error), comparable=False)
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        spot = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "?"
        return Verdict(np.inf, note=f"raised {type(error).__name__}: {error} (in {spot})", comparable=False)
    try:
        claimed_array, derived_array = _numbers(claimed), _numbers(derived)
        scale_array = _numbers(scale[0]) if scale else np.abs(derived_array)
    except (TypeError, ValueError) as error:
        return Verdict(np.inf, note=f"is not made of numbers: {error}", comparable=False)
    if claimed_array.shape != derived_array.shape:
        note = f"has shape {claimed_array.shape} where {derived_array.shape} is right"
        return Verdict(np.inf, plain(claimed), plain(derived), note, comparable=False)
    shown = dict(claimed=_worst(claimed, derived, claimed), derived=_worst(claimed, derived, derived))
    if not np.all(np.isfinite(derived_array)) or not np.all(np.isfinite(scale_array)):
        return Verdict(np.inf, **shown, note="the derivation is not finite", fault=True)
    if not np.all(np.isfinite(claimed_array)):
        return Verdict(np.inf, **shown, note="is not finite")
    gap = claimed_array - derived_array
    gap = np.maximum(gap, 0.0) if card.relation == "<=" else np.abs(gap)
    if card.relative:
        gap = gap / np.maximum(scale_array, _SCALE_FLOOR)
    worst = float(np.max(gap, initial=0.0))
    note = "claimed: first <= second" if worst > 0 and card.relation == "<=" else ""
    return Verdict(worst, **shown, note=note)


def _numbers(value: Any) -> np.ndarray:
    """float64, or the real and imaginary parts as a last axis where the value is complex."""
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"it is a {type(value).__name__}")
    if np.iscomplexobj(array):
        array = np.stack([array.real, array.imag], -1)
    return array.astype(np.float64)


def _worst(claimed: Any, derived: Any, which: Any) -> Any:
    """The whole value where it is small enough to print, else the element that differs most."""
    array = np.asarray(which)
    if array.size <= 12:
        return plain(which)
    gap = np.abs(_numbers(claimed) - _numbers(derived))
    index = np.unravel_index(int(np.argmax(np.where(np.isnan(gap), np.inf, gap))), gap.shape)
    return plain(array[index[: array.ndim]])


def plain(value: Any) -> Any:
    """Plain JSON: lists, dicts, numbers, text. Infinities and NaN become text, which JSON lacks."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.integer | int):
        return int(value)
    if isinstance(value, np.floating | float):
        return float(value) if np.isfinite(value) else str(float(value))
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value if value is None or isinstance(value, str) else repr(value)
