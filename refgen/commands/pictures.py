"""plot and animate: pictures of a run."""

from __future__ import annotations

from pathlib import Path

import click

from refgen.commands.data import law_of_run, open_run
from refgen.commands.shared import Name, seed_option

__all__ = ["animate", "plot"]


def _names() -> list[str]:
    from refgen.experiments import gallery

    return [*gallery.NAMES, "all"]


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.argument("what", metavar="[WHAT]...", type=Name("picture", _names), nargs=-1)
@click.option("--out", metavar="FOLDER", help="Where to put them.  [default: RUN/figures]")
@seed_option
def plot(run_folder: str, what: tuple[str, ...], out: str | None, seed: int) -> None:
    """Draw pictures of a run.

    WHAT is overview, forward, score, samples, reverse, energy or loss; by default all that the model has.
    """
    from refgen import runs
    from refgen.experiments import gallery

    run = runs.load(run_folder)
    names = gallery.names_of(run.model) if not what or "all" in what else list(dict.fromkeys(what))
    law = None if names == ["loss"] else law_of_run(run.folder, run.config)
    for path in gallery.pictures(run, law, names, out or run.folder / "figures", seed):
        click.echo(path)


@click.command()
@click.argument("run_folder", metavar="RUN")
@click.option("--out", metavar="FILE.gif", help="Where to put it.  [default: RUN/figures/reverse.gif]")
@seed_option
def animate(run_folder: str, out: str | None, seed: int) -> None:
    """Draw the reverse process, or the chain, as a GIF."""
    from refgen.experiments import gallery

    run, law = open_run(run_folder)
    path = Path(out or run.folder / "figures" / "reverse.gif")
    if path.suffix.lower() != ".gif":
        raise ValueError(f"--out is {str(path)!r}; it must end in .gif")
    click.echo(gallery.animate(run, law, path, seed))
