"""models, datasets, samplers: what there is, a line each."""

from __future__ import annotations

import click

from refgen.commands.shared import json_option, plain_text, print_json, seed_option

__all__ = ["datasets", "models", "samplers"]


def _print(rows: list[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        print_json([{"name": name, "what": what} for name, what in rows])
        return
    width = max(len(name) for name, _ in rows) + 2
    click.echo("\n".join(f"{name:<{width}}{what}" for name, what in rows))


def _first_line(documented: object) -> str:
    return plain_text(documented).partition("\n\n")[0].replace("\n", " ").rstrip(".")


@click.command()
@json_option
def models(as_json: bool) -> None:
    """List the models that can be trained."""
    from refgen import models

    _print([(name, _first_line(models.model_class(name))) for name in models.NAMES], as_json)


@click.command()
@click.option("--out", metavar="FILE.png", help="Also draw 2,000 points of each, standardised.")
@seed_option
@json_option
def datasets(out: str | None, seed: int, as_json: bool) -> None:
    """List the data sets (your own files work too)."""
    from refgen import distributions

    if out is not None:
        from refgen import plots
        from refgen.backend import Stream

        laws = {name: distributions.named(name).standardised()[0] for name in distributions.NAMES}
        rng = Stream(seed, "datasets")
        plots.save(plots.data_sets({name: law.sample(rng, 2000) for name, law in laws.items()}), out)
    _print(list(distributions.DESCRIPTIONS.items()), as_json)


@click.command()
@json_option
def samplers(as_json: bool) -> None:
    """List the samplers, and what each needs of a model."""
    from refgen import samplers

    if as_json:
        known = [(name, samplers.describe(name), samplers.needs(name)) for name in samplers.NAMES]
        print_json([{"name": name, "what": what, "needs": needs} for name, what, needs in known])
        return
    rows = [
        [(name, samplers.describe(name)), ("", f"needs {samplers.needs(name)}")] for name in samplers.NAMES
    ]
    _print([line for row in rows for line in row], False)
