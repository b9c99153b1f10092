"""compare: all families of models on the same data, with the same budget, in one table and one figure."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import click

from refgen.commands.data import Data, data_of, for_model
from refgen.commands.members import Member, Stopped, cores, run_all
from refgen.commands.settings import FREE, own_options, parsed, settings_of
from refgen.commands.shared import (
    Name,
    Progress,
    device_option,
    json_option,
    print_json,
    program,
)
from refgen.models import NAMES

__all__ = ["compare"]


def _names() -> tuple[str, ...]:
    return NAMES


@click.command()
@click.argument("models", metavar="[MODEL]...", type=Name("model", _names), nargs=-1)
@click.option("--data", metavar="NAME|FILE", required=True, help="A data set, or a CSV, NPY or NPZ file.")
@click.option(
    "--seeds", type=click.IntRange(1, 1000), default=2, show_default=True, help="Runs of each model."
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10**8),
    help="Training steps, the same of each.  [default: each model's own usual number]",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 100_000),
    help="Points a step, the same of each.  [default: each model's own]",
)
@click.option(
    "--n", type=click.IntRange(2, 10**6), default=10_000, show_default=True, help="Points of an evaluation."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="MODEL.OPTION=VALUE",
    help="An option of one model, as ebm.objective=nce or ddpm.lr=1e-3. Repeatable.",
)
@click.option("--out", metavar="FOLDER", help="Where the runs are.  [default: runs/compare-DATA]")
@click.option(
    "--jobs",
    type=click.IntRange(1, 1000),
    help="Processes at a time. They share the cores, so the times measured grow with their number.  "
    "[default: one a core]",
)
@device_option
@json_option
def compare(
    models: tuple[str, ...],
    data: str,
    seeds: int,
    steps: int | None,
    batch: int | None,
    n: int,
    settings: tuple[str, ...],
    out: str | None,
    jobs: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Compare models on the same data.

    Without a MODEL, all that train on these data without labels. Each is trained from seeds 0, 1, ... as it
    usually is, or all with the same --steps, in FOLDER/MODEL-seedS, a run like any other, and evaluated
    there. What is done already is not done again; after Ctrl-C the same command goes on. The table is also
    written to FOLDER/compare.json, samples of each model to FOLDER/compare.png. Exit status 1 where a run has
    failed.
    """
    from refgen import backend
    from refgen.checkpoints import write_text

    backend.device(device)  # before any process is started, where there is none
    known, folder = data_of(data), Path(out or f"runs/compare-{Path(data).stem}")
    chosen = list(dict.fromkeys(models)) or list(NAMES)
    given = settings_of(settings, chosen)
    sizes = ["--data", known.name]
    for flag, size in [("--device", device * (device != "cpu")), ("--steps", steps), ("--batch", batch)]:
        sizes += [flag, str(size)] if size else []
    members = []
    for model in chosen:
        told = parsed(model, [*sizes, *given[model]])
        if not _trains(model, told, known, optional=not models):
            continue
        for seed in range(seeds):
            own = folder / f"{model}-seed{seed}"
            args = (*sizes, *given[model], "--seed", str(seed), "--out", str(own))
            members.append(Member(model, seed, own, args, told["steps"], n, device))
            if (own / "config.json").exists():
                _check_same(own, model, {**told, "seed": seed}, known)
    if not members:
        raise ValueError(f"no model trains on {data}")
    members.sort(key=lambda member: member.seed)  # so that what there is can be compared early
    failed = _work(members, jobs or cores())
    about = {"data": data, "steps": steps, "batch": batch, "seeds": seeds, "n": n}
    comparison, runs = _collect(about, members, failed, known)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "compare.json", json.dumps(comparison, indent=1, allow_nan=False) + "\n")
    _show(comparison, runs, known, folder, as_json)
    if failed:
        click.get_current_context().exit(1)


def _trains(model: str, told: dict[str, Any], data: Data, optional: bool) -> bool:
    """Whether a model is there for data of this dimension with these options.

    Where it was not asked for by name, it is left out with a line that says why.
    """
    from refgen.models import model_class, named

    kind = model_class(model)
    try:
        if optional and hasattr(kind, "classes"):
            raise ValueError("told no label it is like a ddpm; name it to compare it")
        named(model, **for_model(data, kind)[1], **{name: told[name] for name in own_options(model)})
    except ValueError as error:
        if not optional:
            raise ValueError(f"{model}: {error}") from None
        click.echo(f"without {model}: {error}", err=True)
        return False
    return True


def _check_same(folder: Path, model: str, told: dict[str, Any], data: Data) -> None:
    """Raise ValueError, one line, where the run in a folder is another than the one that is asked for."""
    from refgen.runs import read_config

    config = read_config(folder)
    old = {"model": config["model"], **config["options"], **config["training"]}
    new = {
        "model": model,
        **{name: told[name] for name in (*own_options(model), "steps", "batch", "seed", *FREE)},
    }
    old["data"], new["data"] = (
        config["data"].get("sha256") or config["data"]["name"],
        data.sha256 or data.name,
    )
    for name, now in new.items():
        if old.get(name) != now:
            raise ValueError(
                f"{folder} is a run with {name} {old.get(name)!r}, not {now!r}; name another --out"
            )


def _work(members: Sequence[Member], jobs: int) -> dict[str, str]:
    """Have the members trained and evaluated, behind one bar; why each that failed did so, by its name."""
    evaluation = {member.name: 1 + member.steps // 4 for member in members}  # about what it takes, in steps
    total = sum(member.steps + evaluation[member.name] for member in members)
    progress = Progress(f"compare {len(members)} run{'s' * (len(members) > 1)}", total)

    def show(ended: Sequence[str], at_work: Sequence[str]) -> None:
        done = sum(
            member.steps + evaluation[member.name]
            if member.name in ended
            else min(member.step(), member.steps)
            for member in members
        )
        if done < total:  # the last line is for the end
            progress(done, f"{len(ended)} done, {', '.join(at_work)}"[:40])

    try:
        failed = run_all(members, jobs, show)
    except Stopped:
        same = " ".join(quote(arg) for arg in sys.argv[1:])
        click.echo(f"\nstopped; to go on, the same again:\n  {program()} {same}", err=True)
        click.get_current_context().exit(130)
    progress(total, f"{len(failed)} of {len(members)} failed" if failed else "")
    return failed


def _collect(
    about: dict[str, Any], members: Sequence[Member], failed: dict[str, str], data: Data
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The comparison as plain JSON, and a run of each model that has one."""
    from refgen import runs
    from refgen.experiments import comparison

    rows: list[dict[str, Any]] = []
    first: dict[str, Any] = {}
    for model in dict.fromkeys(member.model for member in members):
        own, kind, noise = [], None, 0.0
        for member in members:
            if member.model != model:
                continue
            entry: dict[str, Any] = {"seed": member.seed, "folder": str(member.folder)}
            report = member.report()
            if member.name in failed or report is None:
                why = failed.get(member.name, "it has no evaluation")
                own.append(entry | {"status": "failed", "error": why, "log": str(member.log)})
                continue
            run = runs.load(member.folder)
            first.setdefault(model, run)
            kind, noise = report.get("nll", {}).get("kind"), report["noise"]
            own.append(entry | {"status": "done"} | comparison.numbers(run, report))
        steps = next(member.steps for member in members if member.model == model)
        rows.append(comparison.summary(model, kind, noise, own) | {"steps": steps})
    modes = None if data.law.modes is None else len(data.law.modes[0])
    return {**about, "modes": modes, "models": rows}, first


def _show(comparison: dict[str, Any], runs: dict[str, Any], data: Data, folder: Path, as_json: bool) -> None:
    from refgen import plots
    from refgen.experiments.comparison import figure, table_lines

    if as_json:
        print_json(comparison)
    else:
        click.echo("\n".join(table_lines(comparison)))
    written = [folder / "compare.json"]
    if data.law.dim != 2:
        click.echo(f"no figure: the data have dimension {data.law.dim}, a picture needs 2", err=True)
    elif runs:
        drawn = figure(comparison, runs, data.law, say=lambda stage: click.echo(f"  {stage} ...", err=True))
        written.append(plots.save(drawn, folder / "compare.png"))
    click.echo(f"wrote {', '.join(map(str, written))}", err=as_json)
