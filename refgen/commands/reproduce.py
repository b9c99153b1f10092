"""reproduce: the figures and claims of the lectures, each with numbers that hold or do not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from refgen.commands.shared import Progress, json_option, print_json, seed_option

__all__ = ["reproduce"]


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, one after the other.")
@click.option("--out", metavar="FOLDER", default="reproduced", show_default=True, help="Where to put them.")
@seed_option
@json_option
def reproduce(names: tuple[str, ...], everything: bool, out: str, seed: int, as_json: bool) -> None:
    """Reproduce a figure or claim of the lectures.

    NAME is an experiment or the ID of what it shows (EXP-1); without one, they are listed. Each writes
    NAME.png and NAME.json, and says of every claim whether it holds and by how much. Exit status 1 where
    one comes out otherwise than is known of it.
    """
    from refgen import experiments

    if names and everything:
        raise click.UsageError("give names or --all, not both", click.get_current_context())
    if not names and not everything:
        _list(as_json)
        return
    chosen = [name for given in names for name in experiments.find(given)]
    if everything:
        chosen += [name for name, entry in experiments.ENTRIES.items() if not entry.why_not]
    runs = {name: experiments.runner(name) for name in chosen}
    Path(out).mkdir(parents=True, exist_ok=True)  # before the work, not after it
    failed, found = [], []
    for name, run in runs.items():
        report, unexpected = _one(name, run, Path(out), seed, as_json)
        found.append(report)
        failed += [name] * bool(unexpected)
    if as_json:
        print_json(found)
    elif len(runs) > 1:
        claims = [claim for report in found for claim in report["claims"]]
        hold = sum(claim["holds"] for claim in claims)
        known = sum(not claim["holds"] and not claim["expected"] for claim in claims)
        rest = len(claims) - hold
        fail = f", {rest} {'does' if rest == 1 else 'do'} not ({known} as is known)" if rest else ""
        click.echo(f"{len(runs)} experiments, {len(claims)} claims: {hold} hold{fail}")
    if failed:
        click.echo(f"otherwise than expected: {', '.join(failed)}", err=True)
        click.get_current_context().exit(1)


def _one(name: str, run: Any, folder: Path, seed: int, quiet: bool) -> tuple[dict[str, Any], list[Any]]:
    """Run one experiment, write its files, print its claims; its JSON, and the claims that surprise."""
    import json

    from refgen import experiments, plots
    from refgen.backend import Stream
    from refgen.experiments.outcome import outcome_lines, surprises, to_json

    entry, began = experiments.ENTRIES[name], time.perf_counter()
    outcome = run(Stream(seed, name), _Say(name))
    report = {"name": name, "ids": entry.ids.split(), "title": entry.title, "seed": seed} | to_json(outcome)
    picture = plots.save(outcome.figure, folder / f"{name}.png")
    text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    numbers = plots.write(folder / f"{name}.json", text.encode())
    if not quiet:
        click.echo("\n".join(outcome_lines(entry.ids, outcome)))
        click.echo(f"  {picture}, {numbers}  {time.perf_counter() - began:.1f} s\n")
    return report, surprises(outcome)


class _Say:
    """What an experiment is given to say where it is: a line a stage, a bar where it says how far."""

    def __init__(self, name: str):
        self.name, self.shown = name, ("", 0, 0)
        self.bar: Progress | None = None

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        if not total:
            click.echo(f"  {self.name}: {stage} ...", err=True)
            return
        if self.bar is None or (stage, total) != self.shown[:2] or done < self.shown[2]:
            self.bar = Progress(f"  {self.name}: {stage}", total)
        self.shown = stage, total, done
        self.bar(done)


def _list(as_json: bool) -> None:
    from refgen import experiments

    if as_json:
        print_json([{"name": name} | entry._asdict() for name, entry in experiments.ENTRIES.items()])
        return
    width = max(map(len, experiments.ENTRIES)) + 2
    for name, entry in experiments.ENTRIES.items():
        rows = [entry.title, entry.ids] + [f"not reproduced: {entry.why_not}"] * bool(entry.why_not)
        for i, row in enumerate(rows):
            click.echo(f"{'' if i else name:<{width}}{row}")
