"""Papers and books on probability and information."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = ["BISHOP_2006", "LIN_1991", "SHANNON_1948", "VALIANT_1979"]

SHANNON_1948 = Source(
    "Shannon 1948", "A Mathematical Theory of Communication", "Bell System Technical Journal 27 (3)"
)
VALIANT_1979 = Source(
    "Valiant 1979",
    "The Complexity of Enumeration and Reliability Problems",
    "SIAM Journal on Computing 8 (3)",
)
LIN_1991 = Source(
    "Lin 1991",
    "Divergence Measures Based on the Shannon Entropy",
    "IEEE Transactions on Information Theory 37 (1)",
)
BISHOP_2006 = Source("Bishop 2006", "Pattern Recognition and Machine Learning", "Springer")
