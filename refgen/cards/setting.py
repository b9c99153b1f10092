"""Where the formula of a card runs: in which precision and on which device, and how closely it must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from refgen.backend import device
from refgen.cards.card import Card
from refgen.cards.inject import in_precision, on_device

__all__ = ["GPU_FACTOR", "HOST", "Setting"]

# A GPU adds up in another order and rounds exp, log and the like an ulp or two differently: so many times the
# tolerance in float64, which is set for the host's rounding. That in float32 has room enough for both.
GPU_FACTOR = 10


class Setting(NamedTuple):
    """precision: float64 or float32. device: cpu or gpu.

    Both are for the formula alone, and not for a card without a tolerance32: that stays in float64 on the
    host.
    """

    precision: str = "float64"
    device: str = "cpu"

    def of(self, card: Card) -> Setting:
        """The setting in which that card's formula really runs."""
        return HOST if card.tolerance32 is None else self

    def inject(self, card: Card, formula: Callable[..., Any]) -> Callable[..., Any]:
        """The formula as the card's check is given it. Raises ValueError where there is no such device."""
        there = self.of(card)
        return in_precision(on_device(formula, device(there.device)), there.precision)

    def adjust(self, card: Card) -> Card:
        """The card with the tolerances of the setting."""
        there = self.of(card)
        if there == HOST:
            return card
        single = there.precision == "float32"
        tolerance = card.tolerance32 if single else GPU_FACTOR * card.tolerance
        assert tolerance is not None
        return replace(card, tolerance=tolerance, reject_at=max(card.reject_at, 10 * tolerance))


HOST = Setting()
