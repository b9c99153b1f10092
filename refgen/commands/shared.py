"""What the commands share: near names, JSON output, and how long work shows where it is."""

from __future__ import annotations

import atexit
import difflib
import inspect
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from shlex import quote
from typing import Any

import click

__all__ = [
    "Name",
    "Progress",
    "device_option",
    "did_you_mean",
    "json_option",
    "keep_folder_clean",
    "plain_text",
    "print_json",
    "program",
    "seed_option",
]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """'; did you mean ddpm?', or '' where nothing is near."""
    near = difflib.get_close_matches(name.lower(), list(known), 3, 0.5)
    return f"; did you mean {', '.join(near)}?" if near else ""


class Name(click.ParamType):
    """A name out of a list that is only looked up when the command runs."""

    def __init__(self, what: str, known: Callable[[], Iterable[str]]):
        self.what, self.known, self.name = what, known, what.upper()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name itself; a usage error that names the near ones where it is unknown."""
        known = list(self.known())
        if value not in known:
            near = did_you_mean(value, known) or f"; there are {', '.join(known)}"
            self.fail(f"no {self.what} {value!r}{near}", param, ctx)
        return str(value)


seed_option = click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all randomness."
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Where the arrays live; gpu needs CuPy and a GPU.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def plain_text(documented: object) -> str:
    """A docstring for a terminal: without displayed formulas, and without the IDs of what it implements."""
    text = re.sub(r"\n *\.\. math::.*(\n +\S.*)*(?=\n\n|$)\n?", "", inspect.getdoc(documented) or "")
    text = re.sub(r":math:`([^`]*)`", r"\1", text)
    return re.sub(r" *\[[A-Z]+-\d[^\]]*\]", "", text).replace("\n\n\n", "\n\n")


def program() -> str:
    """How the user calls this program: refgen, or the path to it where that is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name != "refgen":
        return f"python {called.name}" if called.name == "cli.py" else "refgen"
    found = shutil.which("refgen")
    if found and Path(found).resolve() == called.resolve():
        return "refgen"
    return quote(str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called))


def keep_folder_clean() -> None:
    """Have Hypothesis keep its notes elsewhere than in the current folder; call it before it is imported."""
    if "hypothesis" not in sys.modules and "HYPOTHESIS_STORAGE_DIRECTORY" not in os.environ:
        folder = tempfile.mkdtemp(prefix="refgen-")
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def print_json(value: Any) -> None:
    """Strict JSON on stdout (never NaN or Infinity)."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


class Progress:
    """Where long work is: one line that is redrawn on a terminal, a plain line each tenth in a log.

    Goes to stderr, so that stdout stays what was asked for.
    """

    def __init__(self, label: str, total: int):
        self.label, self.total, self.terminal = label, total, sys.stderr.isatty()
        self.created = time.perf_counter()
        self.first: tuple[int, float] | None = None  # what was done at the first call, and when that was
        self.shown = -1.0

    def __call__(self, done: int, note: str = "") -> None:
        """Say that `done` of the total are done."""
        now, last = time.perf_counter(), done >= self.total
        self.first = self.first or (done, now)
        if self.terminal and now - self.shown < 0.1 and not last:
            return
        if not self.terminal and int(10 * done / self.total) == int(10 * self.shown) and not last:
            return
        self.shown = now if self.terminal else done / self.total
        rate = (done - self.first[0]) / max(now - self.first[1], 1e-9)
        timing = (
            f"{now - self.created:.1f} s"
            if last
            else f"{(self.total - done) / rate:.0f} s left"
            if rate
            else ""
        )
        parts = [f"{done}/{self.total}", f"{rate:,.0f}/s" if rate else "", timing, note]
        text = "  ".join(part for part in parts if part)
        filled = int(20 * done / self.total)
        bar = f"\r\x1b[K[{'#' * filled}{'.' * (20 - filled)}] " if self.terminal else ""
        click.echo(f"{bar}{self.label}  {text}", err=True, nl=last or not self.terminal)
