"""The five lectures, and slips that are nobody's."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = ["CS167", "FIELD", "ISACHENKO", "KIM", "SJTU", "SONG_NOTES"]

KIM = Source(
    "Kim", "Kim Seung Hwan, Generative Models & Determining Trained", "lecture slides, cited by slide title"
)
SJTU = Source(
    "SJTU tutorial",
    "SJTU m.i.n, A Tutorial on Generative Models, 2024-06-07",
    "lecture slides, cited by slide",
)
SONG_NOTES = Source(
    "Dong-A notes",
    "Dong-A University notes on Yang Song, Diffusion and Score-Based Generative Models",
    "lecture notes with transcript, cited by section",
)
ISACHENKO = Source(
    "Isachenko", "Isachenko, Deep Generative Models, lecture 14", "lecture slides, cited by slide title"
)
CS167 = Source("CS167", "CS167, Generative Modeling: Diffusion", "lecture slides, cited by slide title")
FIELD = Source(
    "common slip", "Slips that shipped in public programs or are often asked about", "collected by refgen"
)
