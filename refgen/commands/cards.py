"""verify, equations, misprints: the commands about equation cards."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from refgen.commands.shared import (
    device_option,
    json_option,
    keep_folder_clean,
    print_json,
    program,
    seed_option,
)

__all__ = ["equations", "misprints", "verify"]


@click.command()
@click.argument("queries", nargs=-1, metavar="[ID|TOPIC|FILE.py]...")
@click.option(
    "--formula",
    "formulas",
    multiple=True,
    metavar="ID=MODULE:FUNCTION",
    help="Check your own function against a card, on one point and on two; FILE.py:FUNCTION works too. "
    "Repeatable.",
)
@click.option(
    "--examples", type=click.IntRange(1, 100_000), help="Inputs drawn for each card [default: its own]."
)
@click.option(
    "--precision",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="Precision of the arrays that the formulas are given; derivations stay in float64.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes that share the cards.",
)
@device_option
@click.option("-v", "--verbose", is_flag=True, help="Show the counterexample of each wrong form.")
@seed_option
@json_option
def verify(
    queries: tuple[str, ...],
    formulas: tuple[str, ...],
    examples: int | None,
    precision: str,
    processes: int,
    device: str,
    verbose: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Check equations against second derivations.

    Each formula must agree with an independent derivation, and every known wrong form must be rejected.

    Without arguments, all of them. An ID (POST-5/mean), a row (POST-5), a topic (POST), a misprint (ERR-18)
    or a kind (inequality) narrows it. A Python file of your own cards is run the same way. With --device gpu
    the formulas run there and must agree with derivations on the host, to ten times the tolerance; cards that
    measure an order, a z-score or a last digit stay on the host. Exit status 0 only
    when every card passes and every wrong form is rejected, 1 when one does not, 2 for bad input.
    """
    keep_folder_clean()
    from refgen import backend
    from refgen.cards import summary, verify_all
    from refgen.cards.load import find_card, load_function
    from refgen.cards.text import host_lines, report_lines, summary_line

    start = time.perf_counter()
    backend.device(device)  # before any card is run, where there is none
    files, ids = _select(queries)
    own = dict(_pair(text) for text in formulas)
    for id, spec in own.items():
        find_card(id)
        load_function(spec)
    if own:
        ids = [*own] if not queries else list(dict.fromkeys([*own, *ids]))
    reports: dict[str, dict[str, Any]] = {}
    waiting = list(ids)
    options: dict[str, Any] = dict(examples=examples, random_seed=seed, precision=precision, device=device)
    if own:
        options["shrinks"] = None
    for report in verify_all(ids, own=own, files=files, processes=processes, **options):
        reports[report["id"]] = report
        while waiting and waiting[0] in reports:
            done = reports[waiting.pop(0)]
            if not as_json:
                wrong = "yours" if done["id"] in own else "claimed"
                click.echo("\n".join(report_lines(done, verbose=verbose, wrong=wrong)))
    shown = [reports[id] for id in ids]
    counts = summary(shown, time.perf_counter() - start, device)
    if as_json:
        print_json({"cards": shown, "summary": counts})
    else:
        click.echo("\n".join(["", *host_lines(shown, device), summary_line(counts)]))
    sys.exit(0 if counts["failed"] == 0 else 1)  # a card that rejects not all its wrong forms has failed


def _select(queries: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The user's files among the queries, and the IDs of all cards selected, in the order of the registry."""
    from refgen.cards import CARDS
    from refgen.cards.load import find_cards, load_cards, load_file

    load_cards()
    files = [query for query in queries if query.endswith(".py")]
    chosen: set[str] = set()
    for file in files:
        module = load_file(file).__name__
        theirs = [id for id, card in CARDS.items() if card.module == module]
        if not theirs:
            raise ValueError(f"{file} has no cards; decorate a check with refgen.cards.equation")
        chosen.update(theirs)
    for query in queries:
        if not query.endswith(".py"):
            chosen.update(find_cards(query))
    return files, [id for id in CARDS if id in chosen or not queries]


def _pair(text: str) -> tuple[str, str]:
    id, equals, spec = text.partition("=")
    if not equals:
        raise ValueError(
            f"--formula is {text!r}; it must be ID=module:function, as POST-5/mean=yours.py:mean"
        )
    return id.strip(), spec.strip()


@click.command()
@click.argument("query", nargs=-1)
@json_option
def equations(query: tuple[str, ...], as_json: bool) -> None:
    """List the equations, find some, show one whole.

    QUERY is an ID (POST-5), a topic (POST), or words, symbols and papers: refgen equations "Ho 7".
    """
    keep_folder_clean()
    from refgen.cards import CARDS
    from refgen.cards.load import load_cards, search_cards
    from refgen.cards.text import card_json, card_lines, card_page

    load_cards()
    text = " ".join(query)
    found, whole = search_cards(text) if text else (list(CARDS), False)
    if as_json:
        print_json([card_json(CARDS[id]) for id in found])
    elif whole:
        click.echo("\n\n".join("\n".join(card_page(CARDS[id])) for id in found))
        _point_to_experiments(text)
    else:
        click.echo("\n".join(card_lines([CARDS[id] for id in found])))
        click.echo(f"\n{len(found)} cards. One whole: refgen equations {found[0]}")


@click.command()
@click.argument("id", required=False)
@seed_option
@json_option
def misprints(id: str | None, seed: int, as_json: bool) -> None:
    """Show the misprints, each with a counterexample.

    Without an ID, a line each; with one (ERR-18, or a card's ID) the story: printed, correct, why, where, and
    the smallest inputs on which the two differ.
    """
    keep_folder_clean()
    from refgen.cards import CARDS, reject
    from refgen.cards.load import find_misprints, load_cards
    from refgen.cards.text import misprint_json, misprint_lines, misprint_page

    load_cards()
    found = find_misprints(id)
    if id is None and not as_json:
        click.echo("\n".join(misprint_lines([wrong for _, wrong in found])))
        rows = len({wrong.id.partition("/")[0] for _, wrong in found if wrong.kind == "misprint"})
        click.echo(f"\n{rows} misprints. The story of one: refgen misprints {found[0][1].id}")
        return
    stories = []
    for card_id, wrong in found:
        stories.append((CARDS[card_id], reject(CARDS[card_id], wrong, random_seed=seed)))
    if as_json:
        print_json([misprint_json(card, reject) for card, reject in stories])
        return
    click.echo("\n\n".join("\n".join(misprint_page(card, reject)) for card, reject in stories))
    _point_to_experiments(id)
    if id is not None and id.upper() == "ERR-3":
        from refgen.experiments import consistency_form

        click.echo("\n" + "\n".join(consistency_form.lines()))


def _point_to_experiments(id: str | None) -> None:
    """Say which experiment shows what this ID is about, in numbers and a figure."""
    from refgen import experiments

    row = (id or "").upper().partition("/")[0]
    for name, entry in experiments.ENTRIES.items():
        if row in entry.ids.split() and not entry.why_not:
            click.echo(f"\nshown by an experiment: {program()} reproduce {name}")
