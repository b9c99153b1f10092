"""Cards, reports and counterexamples as lines for a terminal, 100 columns wide."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from refgen.cards.card import Card, Wrong, where

__all__ = [
    "both",
    "card_json",
    "card_lines",
    "card_page",
    "counterexample_line",
    "host_lines",
    "misprint_json",
    "misprint_lines",
    "misprint_page",
    "number",
    "report_lines",
    "summary_line",
]

WIDTH = 100


def number(value: Any) -> str:
    """A number as short as it can be read; lists elementwise; yes and no for predicates."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        short = f"{value:.4g}"
        # 0.999996 is not 1: an input close to an integer is shown whole.
        return repr(value) if value != float(short) and float(short).is_integer() and value % 1 else short
    if isinstance(value, list):
        if len(value) > 12:
            return f"[{', '.join(map(number, value[:5]))}, ... {len(value)} values]"
        return f"[{', '.join(map(number, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}={number(v)}" for k, v in value.items()) + "}"
    return str(value)


def both(shown: dict[str, Any]) -> tuple[str, str]:
    """The printed and the correct value, with as many digits as it takes to tell them apart."""
    printed, correct = number(shown["printed"]), number(shown["correct"])
    if printed == correct and shown["printed"] != shown["correct"]:
        return str(shown["printed"]), str(shown["correct"])
    return printed, correct


def counterexample_line(shown: dict[str, Any], wrong: str = "printed") -> str:
    """'alpha_t=0.5, x_t=1: printed 0.236, correct 0.330', or what was raised where."""
    inputs = ", ".join(f"{k}={number(v)}" for k, v in shown.get("inputs", {}).items())
    note = shown.get("note", "")
    if shown.get("printed") is None:
        return f"{inputs}: {note}" if inputs else note
    printed, correct = both(shown)
    line = f"{inputs}: {wrong} {printed}, correct {correct}"
    return f"{line} ({note})" if note else line


def report_lines(report: dict[str, Any], *, verbose: bool = False, wrong: str = "claimed") -> list[str]:
    """One line for the card; more where something is wrong, or with verbose for each wrong form."""
    worst = report["worst_error"]
    compared = f"{'inf' if worst is None else f'{worst:.0e}'} / {report['tolerance']:.0e}"
    if report["kind"] in ("definition", "experiment", "reported"):
        compared = report["kind"]
    elif report["kind"] == "claim":
        compared = "claim"
    caught, forms = sum(r["rejected"] for r in report["rejects"]), len(report["rejects"])
    rejects = f"rejects {caught}" + (f" of {forms}" if caught < forms else "") if forms else ""
    evidence = report["evidence"].partition(":")[0]
    mark = "pass" if report["status"] == "pass" else "FAIL"
    title = textwrap.shorten(report["title"], 36, placeholder=" ..")
    lines = [f"{mark}  {report['id']:<21}{title:<37}{evidence:<12}{compared:>13}  {rejects}".rstrip()]
    if "failure" in report:
        lines += _wrapped("      ", counterexample_line(report["failure"], wrong))
    for reject in report["rejects"]:
        if not reject["rejected"]:
            lines += _wrapped("      ", f"DOES NOT REJECT {reject['id']}: {reject.get('note', '')}")
        elif verbose:
            lines += _wrapped(
                "      ", f"rejects {reject['id']}: {counterexample_line(reject['counterexample'])}"
            )
    return lines


def summary_line(counts: dict[str, Any]) -> str:
    """The last line of a run over cards: what passed, what was rejected, how long it took."""
    line = f"{_count(counts['cards'], 'card')}: {counts['passed']} passed"
    line += f", {counts['failed']} FAILED" if counts["failed"] else ""
    if counts["misprints"]:
        line += f". {_count(counts['misprints'], 'wrong form')}: {counts['rejected']} rejected"
        missed = counts["misprints"] - counts["rejected"]
        line += f", {missed} NOT REJECTED" if missed else ""
    return f"{line}. {counts['seconds']:.1f} s"


def host_lines(reports: list[dict[str, Any]], device: str) -> list[str]:
    """Which cards' formulas stayed on the host, although the device is another."""
    stayed = [report["id"] for report in reports if report["formula"] and report["device"] != device]
    why = "On the host (an order, a z-score, a last digit, or a formula that takes no arrays): "
    return _wrapped("", why + ", ".join(stayed)) if stayed else []


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def card_lines(cards: list[Card]) -> list[str]:
    """A list of cards under the names of their topics: ID, title, and kind of card or of evidence."""
    from refgen.derivations import TOPICS

    width = max(len(card.id) for card in cards) + 2
    lines: list[str] = []
    topic = None
    for card in cards:
        if card.topic != topic:
            topic = card.topic
            lines += ["", TOPICS.get(topic, topic)] if lines else [TOPICS.get(topic, topic)]
        kind = card.kind if card.kind != "equation" else card.evidence
        room = 86 - width  # so that a line with the longest ID and kind has 100 columns
        title = textwrap.shorten(card.title, room - 2, placeholder=" ..")
        lines.append(f"  {card.id:<{width}}{title:<{room}}{kind}".rstrip())
    return lines


def card_json(card: Card) -> dict[str, Any]:
    """A card as plain JSON."""
    return {
        "id": card.id,
        "title": card.title,
        "kind": card.kind,
        "latex": card.latex,
        "sources": [str(cited) for cited in card.sources],
        "evidence": f"{card.evidence}: {card.how}",
        "tolerance": card.tolerance,
        "formula": card.formula_name,
        "shown_by": list(card.shown_by),
        "rejects": [_wrong_json(wrong) for wrong in card.wrong],
    }


def _wrong_json(wrong: Wrong) -> dict[str, Any]:
    return {
        "id": wrong.id,
        "of": wrong.of,
        "kind": wrong.kind,
        "printed": wrong.printed,
        "correct": wrong.correct,
        "why": wrong.why,
        "source": str(wrong.source or ""),
    }


def misprint_json(card: Card, reject: dict[str, Any]) -> dict[str, Any]:
    """The story of one misprint as plain JSON."""
    wrong = next(w for w in card.wrong if w.id == reject["id"])
    return _wrong_json(wrong) | {k: v for k, v in reject.items() if k not in ("id", "kind")}


def misprint_lines(wrongs: list[Wrong]) -> list[str]:
    """A list of misprints: ID, the card that rejects it, the source, why it is wrong."""
    width = max(len(wrong.id) for wrong in wrongs) + 2
    lines = []
    for wrong in wrongs:
        source = wrong.source.source.short if wrong.source else ""
        head = f"{wrong.id:<{width}}{wrong.of:<20}{source:<15}"
        lines.append(head + textwrap.shorten(wrong.why, WIDTH - len(head), placeholder=" .."))
    return lines


def _wrapped(indent: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def _field(name: str, value: str, indent: str = "  ") -> list[str]:
    if not value:
        return []
    first, rest = f"{indent}{name:<11}", indent + " " * 11
    return textwrap.wrap(value, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def card_page(card: Card) -> list[str]:
    """A card whole: statement, source, the call with its shapes, evidence, and the wrong forms it rejects."""
    lines = [f"{card.id}  {card.title}", ""]
    lines += _field("states", card.latex)
    lines += _field("sources", "; ".join(map(str, card.sources)))
    lines += _field("kind", card.kind)
    evidence = card.how if card.evidence == "cards" else f"{card.evidence}: {card.how}"
    lines += _field("evidence", evidence)
    if card.check is not None:
        assert card.formula is not None
        bound = "relative" if card.relative else "absolute"
        lines += _field("tolerance", f"{card.tolerance:.1g} ({bound}); wrong from {card.reject_at:.1g}")
        lines += _field("derived in", where(card.check))
        lines += _field("formula", f"{card.formula_name}  ({where(card.formula)})")
        arguments = ", ".join(map(_shown_argument, inspect.signature(card.formula).parameters.values()))
        lines += ["", *textwrap.wrap(f"{card.formula.__name__}({arguments})", WIDTH - 2, initial_indent="  ")]
        lines += ["    Called with these arguments in this order, by position.", ""]
        lines += textwrap.indent(inspect.getdoc(card.formula) or "", "    ").splitlines()
        if card.id.count("/") <= 1 and card.formula.__name__.isidentifier():
            lines += [
                "",
                f"  check yours: refgen verify --formula {card.id}=file.py:{card.formula.__name__}",
            ]
    for wrong in card.wrong:
        lines += ["", f"  rejects {wrong.id} ({wrong.kind})"]
        told = [("printed", wrong.printed), ("correct", wrong.correct), ("why", wrong.why)]
        for name, value in [*told, ("source", str(wrong.source or ""))]:
            lines += _field(name, value, "    ")
    return lines


def _shown_argument(argument: inspect.Parameter) -> str:
    """Its name, and its default where it has one: a card may leave that out."""
    given = argument.default
    return argument.name if given is inspect.Parameter.empty else f"{argument.name}={given!r}"


def misprint_page(card: Card, reject: dict[str, Any]) -> list[str]:
    """The story of one misprint: printed, correct, why, source, counterexample with both numbers."""
    wrong = next(w for w in card.wrong if w.id == reject["id"])
    lines = [f"{wrong.id}  rejected by {card.id}, {card.title}", ""]
    lines += _field("printed", wrong.printed) + _field("correct", wrong.correct)
    lines += _field("why", wrong.why) + _field("where", str(wrong.source or ""))
    if reject["counterexample"] is not None:
        shown = reject["counterexample"]
        inputs = ", ".join(f"{k}={number(v)}" for k, v in shown["inputs"].items())
        lines += _field("smallest", inputs)
        printed, correct = both(shown)
        lines += _field("", f"printed {printed}") + _field("", f"correct {correct}")
    else:
        lines += _field("NOT", f"rejected: {reject.get('note', '')}")
    return lines
