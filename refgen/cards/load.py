"""Finding cards and functions: the library's, and those in a file or module of the user's."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from refgen.cards.card import CARDS, Card, Wrong

__all__ = [
    "find_card",
    "find_cards",
    "find_misprints",
    "load_cards",
    "load_file",
    "load_function",
    "name_of",
    "search_cards",
]


_USER = "_user_"  # what the names of modules begin with that came from a file of the user's


def load_cards(files: Sequence[str] = ()) -> None:
    """Register the library's cards, and those of the given Python files."""
    import refgen.derivations

    for module in pkgutil.iter_modules(refgen.derivations.__path__):
        importlib.import_module(f"refgen.derivations.{module.name}")
    topics = [*refgen.derivations.TOPICS]

    def place(card: Card) -> tuple[int, int, bool]:
        number = card.row.rpartition("-")[2]
        known = topics.index(card.topic) if card.topic in topics else len(topics)
        return known, int(number) if number.isdigit() else 0, card.id != card.row

    ordered = sorted(CARDS.values(), key=place)
    CARDS.clear()
    CARDS.update((card.id, card) for card in ordered)
    for file in files:
        load_file(file)


def load_file(file: str) -> ModuleType:
    """Import a Python file by its path. Raises ValueError, one line, where that fails."""
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{file}: no such file")
    path = path.resolve()
    name = _USER + re.sub(r"\W", "_", str(path))  # never in the place of a module that is there already
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file}: not a Python file (.py)")
    _importable_from(path.parent)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{file}: {type(error).__name__} on import: {error}") from None
    return module


def _importable_from(folder: Path) -> None:
    """At the end of the path, where a file of the user's cannot take the place of a module that is needed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def name_of(function: Callable[..., Any]) -> str:
    """module:function, or file.py:function for one that came from a file."""
    module = getattr(function, "__module__", "")
    if module.startswith(_USER):
        module = Path(str(sys.modules[module].__file__)).name
    return f"{module}:{getattr(function, '__qualname__', repr(function))}"


def load_function(spec: str) -> Callable[..., Any]:
    """The function named 'module:function' or 'path/file.py:function'. Raises ValueError, one line."""
    where, colon, name = spec.rpartition(":")
    if not colon or not where or not name:
        raise ValueError(f"function is {spec!r}; it must be module:function or file.py:function")
    if where.endswith(".py"):
        module = load_file(where)
    else:
        _importable_from(Path.cwd())
        try:
            module = importlib.import_module(where)
        except (Exception, SystemExit) as error:
            raise ValueError(f"cannot import {where!r}: {type(error).__name__}: {error}") from None
    function: Any = module
    for part in name.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ValueError(f"{where} has no function {name!r}{_near(name, names)}")
    return function


def find_card(id: str) -> Card:
    """The card with a formula of exactly this ID. Raises ValueError that names the near ones or the parts."""
    card = CARDS.get(id)
    if card is not None and card.check is not None:
        return card
    if card is not None:
        raise ValueError(f"{id} is a {card.kind}; it has no formula to check")
    parts = [other for other in CARDS if CARDS[other].row == id]
    if parts:
        raise ValueError(f"{id} has several parts; name one: {', '.join(parts)}")
    raise ValueError(f"no card {id!r}{_near(id, CARDS)}")


def find_cards(query: str) -> list[str]:
    """IDs that a query selects: an ID, a row, a topic (POST), a misprint (ERR-18), a kind, a file.

    Raises ValueError with the near names where there is none.
    """
    wanted = query.upper()
    by_row = [c.id for c in CARDS.values() if wanted in (c.id.upper(), c.row.upper(), c.topic.upper())]
    if by_row:
        return by_row
    lower = query.lower()
    chosen = [
        c.id
        for c in CARDS.values()
        if any(wanted in (w.id.upper(), w.id.partition("/")[0].upper()) for w in c.wrong)
        or lower in (c.kind, c.module.rpartition(".")[2], c.evidence)
    ]
    if not chosen:
        known = [*dict.fromkeys(c.topic for c in CARDS.values()), *CARDS]
        raise ValueError(f"no card {query!r}{_near(query, known)}")
    return chosen


def search_cards(query: str) -> tuple[list[str], bool]:
    """IDs of the cards that a query means, and whether it names them (an ID or a row) or only finds them.

    The words are sought in ID, title, statement, sources and evidence; cards with them in the name of the
    topic or the title come first. Where no title has them and one cited source has them all, they mean that
    source ("Ho 7"). Short ones count only as whole words.
    Raises ValueError where there is none.
    """
    wanted = query.upper()
    named = [c.id for c in CARDS.values() if wanted in (c.id.upper(), c.row.upper())]
    if named:
        return named, True
    if any(wanted == c.topic for c in CARDS.values()):
        return [c.id for c in CARDS.values() if c.topic == wanted], False
    patterns = [
        re.compile(rf"(?<!\w){re.escape(word)}(?!\w)" if len(word) < 3 else re.escape(word), re.IGNORECASE)
        for word in query.split()
    ]
    cited = [
        c.id
        for c in CARDS.values()
        if any(all(p.search(str(source)) for p in patterns) for source in c.sources)
    ]
    titled = any(all(p.search(c.title) for p in patterns) for c in CARDS.values())
    found = [c.id for c in CARDS.values() if all(p.search(_text(c)) for p in patterns)]
    found = cited if cited and not titled else found
    if not found:
        raise ValueError(f"no card matches {query!r}{_near(query, CARDS)}")
    return _nearest_first(found, patterns), len(found) == 1


def _nearest_first(found: list[str], patterns: list[re.Pattern[str]]) -> list[str]:
    """The cards of topics whose name has all the words, of topics with such a title, and of the rest.

    Topics stay together; in each those with such a title come first, else the order is that of the registry.
    """
    from refgen.derivations import TOPICS

    def has_all(text: str) -> bool:
        return all(pattern.search(text) for pattern in patterns)

    def off(id: str) -> int:
        topic = CARDS[id].topic
        return 0 if has_all(f"{topic} {TOPICS.get(topic, '')}") else 1 if has_all(CARDS[id].title) else 2

    order = list(dict.fromkeys(CARDS[id].topic for id in found))
    best = {topic: min(off(id) for id in found if CARDS[id].topic == topic) for topic in order}
    return sorted(found, key=lambda id: (best[CARDS[id].topic], order.index(CARDS[id].topic), off(id)))


def _text(card: Card) -> str:
    sources = " ".join(f"{cited} {cited.source.title}" for cited in card.sources)
    wrong = " ".join(w.id for w in card.wrong)
    name = card.formula_name.rpartition(":")[2]
    return (
        f"{card.id} {card.title} {card.latex} {sources} {card.how} {card.kind} {card.evidence} {name} {wrong}"
    )


def find_misprints(id: str | None) -> list[tuple[str, Wrong]]:
    """(card ID, wrong form) of all misprints in the order of their numbers, or of those that `id` names.

    id: ERR-18, a part of it (ERR-8/scalar), a mutant's whole ID, or a card's. Raises ValueError for others.
    """
    every = [(c.id, w) for c in CARDS.values() for w in c.wrong]
    if id is None:
        chosen = [(c, w) for c, w in every if w.kind == "misprint"]
        return sorted(chosen, key=lambda pair: [int(n) for n in re.findall(r"\d+", pair[1].id)[:1]])
    wanted = id.upper()
    chosen = [
        (c, w)
        for c, w in every
        if wanted in (w.id.upper(), w.id.upper().partition("/")[0], c.upper(), c.upper().partition("/")[0])
    ]
    if not chosen:
        raise ValueError(f"no misprint {id!r}{_near(id, dict.fromkeys(w.id for _, w in every))}")
    return chosen


def _near(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, list(known), 3, 0.5) or difflib.get_close_matches(
        name.upper(), list(known), 3, 0.5
    )
    return f"; did you mean {', '.join(near)}?" if near else ""
