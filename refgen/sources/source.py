"""What a source is, and a citation of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Citation", "Source"]


@dataclass(frozen=True)
class Citation:
    """One place in one source."""

    source: Source
    where: str

    def __str__(self) -> str:
        return f"{self.source.short}, {self.where}" if self.where else self.source.short


@dataclass(frozen=True)
class Source:
    """A paper, a lecture or a program: how it is cited in a line, its title, and where it is found."""

    short: str
    title: str
    found: str

    def __call__(self, where: str = "") -> Citation:
        return Citation(self, where)
