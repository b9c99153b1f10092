"""doctor: what a bug report should say."""

from __future__ import annotations

import click

from refgen.commands.shared import json_option, print_json

__all__ = ["doctor"]


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Print versions, BLAS and its threads, and the GPU or why there is none.

    In a form that can be pasted into a bug report.
    """
    from refgen.machine import report, report_lines

    found = report()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(report_lines(found)))
