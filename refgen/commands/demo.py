"""demo: verify every equation, train a DDPM on two moons beside the exact answer, and say what to do next."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path
from shlex import quote

import click

from refgen.commands.shared import Progress, keep_folder_clean, program, seed_option

__all__ = ["demo"]

SECONDS = 45.0  # the training stops here, on however slow a machine


@click.command()
@click.option("--out", metavar="FOLDER", help="Folder of the run.  [default: runs/demo, or the next free]")
@seed_option
def demo(out: str | None, seed: int) -> None:
    """Verify, train, sample and draw: the whole tour.

    Verifies every equation, trains a DDPM on two moons, and draws its samples and score beside the exact
    ones. Takes under three minutes on two cores.
    """
    keep_folder_clean()
    from refgen import runs
    from refgen.cards import CARDS, summary, verify_all
    from refgen.cards.load import load_cards
    from refgen.cards.text import report_lines, summary_line

    start, folder = time.perf_counter(), Path(out) if out else _free("runs/demo")
    runs.check_new(folder)
    click.echo("1. Every equation, against a second derivation; every known misprint must be rejected.\n")
    load_cards()
    reports, progress = [], Progress("verify", len(CARDS))
    for report in verify_all(list(CARDS)):
        reports.append(report)
        progress(len(reports), report["id"])
        if report["status"] != "pass":
            click.echo("\n".join(report_lines(report)))
    counts = summary(reports, time.perf_counter() - start)
    click.echo(summary_line(counts))

    click.echo("\n2. A DDPM on two moons, whose exact density and score are known at every noise level.\n")
    _train(folder, seed)

    click.echo("\n3. Its samples, beside the exact answer.\n")
    _compare(folder, seed)

    click.echo(f"\nDone in {time.perf_counter() - start:.0f} s.")
    click.echo(f"Open {folder}/figures/overview.png and {folder}/figures/score.png.\nNext, type:")
    for command, what in [
        ("misprints ERR-3", "a misprint, and the smallest example that refutes it"),
        ("equations POST-5", "an equation whole: statement, source, formula, evidence"),
        (f"evaluate {quote(str(folder))}", "the model measured against the exact law"),
        (f"animate {quote(str(folder))}", "the reverse process as a GIF"),
        ("train ddpm --data ring", "another model, of a ring of eight Gaussians"),
    ]:
        command = f"{program()} {command}"
        click.echo(f"  {command:<{len(program()) + 24}}  {what}")
    sys.exit(0 if counts["failed"] == 0 else 1)


def _free(folder: str) -> Path:
    """That folder, or folder-2, folder-3, ...: the first that holds no run."""
    names = itertools.chain([folder], (f"{folder}-{i}" for i in itertools.count(2)))
    return next(path for path in map(Path, names) if not (path / "config.json").exists())


def _train(folder: Path, seed: int) -> Path:
    from refgen import runs
    from refgen.commands.data import data_of
    from refgen.models import named
    from refgen.training_defaults import STEPS

    data = data_of("moons")
    about = {"data_name": data.name, "shift": data.shift, "scale": data.scale}
    states = runs.train(folder, named("ddpm"), data.law, steps=STEPS, seed=seed, **about)
    began, progress = time.perf_counter(), Progress("train ddpm", STEPS)
    for state in states:
        progress(state.step, f"loss {state.row_loss:.4f}")
        if time.perf_counter() - began > SECONDS:
            click.echo(f"stopped after {SECONDS:.0f} s, at step {state.step}", err=True)
            states.close()
            break
    return folder


def _compare(folder: Path, seed: int) -> None:
    from refgen.backend import Stream
    from refgen.commands.data import open_run
    from refgen.evaluation import evaluate
    from refgen.experiments import gallery

    run, law = open_run(str(folder))
    report = evaluate(run.model, run.params, law, Stream(seed, "demo"), n=4000, control=False, density=False)
    samples, floor = report["samples"], report["floor"]
    click.echo(
        f"sliced Wasserstein distance of 4,000 samples to the truth: {samples['distance']:.4f}; "
        f"two exact samples: up to {floor['max']:.4f}"
    )
    for row in report["score"][1::2]:
        click.echo(f"score at noise {row['std']:.2f}: relative error {row['relative_error']:.3f}")
    for path in gallery.pictures(run, law, gallery.names_of(run.model), folder / "figures", seed):
        click.echo(f"wrote {path}")
