"""The members of a comparison: a run folder each, trained and then evaluated by processes of their own.

What a member has done is read from its folder alone, so that a comparison that was stopped, or crashed, goes
on where it was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import refgen

__all__ = ["Member", "Stopped", "cores", "run_all"]

POLL = 0.05  # seconds between two looks at the processes
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "REFGEN_THREADS")


class Stopped(KeyboardInterrupt):
    """Ctrl-C, or a request to end, after all processes have ended; the folders resume."""


@dataclass(frozen=True)
class Member:
    """One model with one seed. args: those of `refgen train MODEL`, folder and seed included."""

    model: str
    seed: int
    folder: Path
    args: tuple[str, ...]
    steps: int
    n: int  # points of its evaluation
    device: str = "cpu"

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def log(self) -> Path:
        """What its processes say on stderr."""
        return self.folder.parent / "logs" / f"{self.name}.log"

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation.json"

    def step(self) -> int:
        """How far its training is, by the last whole row of metrics.csv; 0 where there is none."""
        try:
            with open(self.folder / "metrics.csv", "rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 200))
                rows = file.read().decode().rpartition("\n")[0].splitlines()
        except (OSError, UnicodeDecodeError):
            return 0
        first = rows[-1].partition(",")[0] if rows else ""
        return int(first) if first.isdigit() else 0

    def report(self) -> dict[str, Any] | None:
        """Its evaluation, where there is one of this many points after this many steps."""
        try:
            found = json.loads(self.evaluation.read_text())
        except (OSError, ValueError):
            return None
        asked = {"step": self.steps, "seed": self.seed, "n": self.n}
        fits = isinstance(found, dict) and all(found.get(key) == value for key, value in asked.items())
        return found if fits else None

    def next_command(self) -> list[str] | None:
        """What is to be done next: to train, to go on, to evaluate; None where all is done.

        Raises ValueError, one line, where the folder holds a run that cannot be read.
        """
        from refgen import runs

        if not (self.folder / "config.json").exists():
            return ["train", self.model, *self.args]
        if runs.load(self.folder).state.step < self.steps:  # metrics.csv may be ahead of the checkpoint
            return ["train", self.model, *self.args, "--resume"]
        if self.report() is None:
            sizes = ["--n", str(self.n), "--seed", str(self.seed)]
            sizes += ["--device", self.device] if self.device != "cpu" else []
            return ["evaluate", str(self.folder), *sizes, "--no-control", "--json"]
        return None


class _Process:
    """A command of a member at work."""

    def __init__(self, member: Member, command: list[str]):
        self.member, self.command = member, command
        member.log.parent.mkdir(parents=True, exist_ok=True)
        self.out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it has ended
        path = [str(Path(refgen.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        with open(member.log, "ab" if command[0] == "evaluate" else "wb") as log:
            # In a group of its own, so that Ctrl-C reaches it once, through `run_all`: twice is at once.
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", "from refgen.cli import main; main()", *command],
                stdin=subprocess.DEVNULL,
                stdout=self.out,
                stderr=log,
                env=os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONPATH": os.pathsep.join(path)},
                process_group=0,
            )

    def finish(self) -> str:
        """Keep what an evaluation has printed; why it failed, or ''."""
        from refgen.checkpoints import write_text

        status, member = self.process.wait(), self.member
        last = _last_line(member.log)
        if status < 0:
            return f"ended by {signal.Signals(-status).name}; it last said: {last or 'nothing'}"
        if status:
            return last or f"exit status {status}"
        if self.command[0] == "evaluate":
            self.out.seek(0)
            made = {"step": member.steps, "seed": member.seed} | json.loads(self.out.read())
            write_text(member.evaluation, json.dumps(made, indent=1, allow_nan=False) + "\n")
        self.out.close()
        return ""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "").removeprefix(
        "refgen: error: "
    )


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    members: Sequence[Member],
    jobs: int,
    show: Callable[[Sequence[str], Sequence[str]], None] = lambda ended, at_work: None,
) -> dict[str, str]:
    """Have every member trained and evaluated, `jobs` at a time; why each that failed did so, by its name.

    show: is told again and again the names of the members at their end, and of those at work. Ctrl-C
    (or SIGTERM) is passed on to the processes, which save; when all have ended, Stopped is raised. A second
    one kills them.
    """
    waiting, working = list(members), list[_Process]()
    failed: dict[str, str] = {}
    with _held() as seen:
        try:
            while waiting or working:
                while waiting and len(working) < jobs and not seen:
                    _begin(waiting.pop(0), working, failed)
                for process in [process for process in working if process.process.poll() is not None]:
                    working.remove(process)
                    why = process.finish()
                    if why:
                        failed[process.member.name] = why
                    else:
                        waiting.insert(0, process.member)  # what comes next in it
                if seen:
                    raise Stopped
                at_work = [at.member.name for at in working]
                not_yet = {member.name for member in waiting} | set(at_work)
                show([member.name for member in members if member.name not in not_yet], at_work)
                time.sleep(POLL if working else 0)
        except BaseException:
            _stop(working, seen)
            raise
    return failed


def _begin(member: Member, working: list[_Process], failed: dict[str, str]) -> None:
    """Start what is next to be done for a member, if anything."""
    try:
        command = member.next_command()
        if command:
            working.append(_Process(member, command))
    except (ValueError, OSError) as error:
        failed[member.name] = " ".join(str(error).split())


@contextmanager
def _held() -> Iterator[list[int]]:
    """Hold Ctrl-C and SIGTERM back: the list says which have come."""
    seen: list[int] = []
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in old:
        signal.signal(number, lambda number, frame: seen.append(number))
    try:
        yield seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _stop(working: list[_Process], seen: list[int]) -> None:
    """Ask the processes to end, and wait until they have; at a second signal they are killed."""
    for process in working:
        process.process.send_signal(signal.SIGINT)
    while any(process.process.poll() is None for process in working):
        if len(seen) > 1:
            for process in working:
                process.process.kill()
        time.sleep(POLL)
    for process in working:
        process.out.close()
