"""refgen's speed beside PyTorch's, JAX's and the bare matrix products', as Markdown.

    python benchmarks/all.py [JOB ...] [--quick] [--threads 1,2] [--out FILE] [--docs FILE]

Each job runs in a process of its own, for each number of threads, held to so many cores (on Linux), so that
no side can use more. refgen shares its work between that many threads of its own, each with one BLAS thread;
PyTorch and XLA use theirs. All sides of a job are timed in turns in that one process, after a check that they
compute the same thing; only ratios within a table mean anything.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from goals import goals_table

JOBS = ["step", "sampling", "parts", "denoiser", "distances", "end_to_end", "startup", "memory", "growth"]
DISTURBED = 0.05  # of the machine; with more than that taken by others, a table says so
HOLDS = hasattr(os, "sched_setaffinity")  # Linux; elsewhere the libraries' own settings must do
FAILED = "failed: what went wrong is on stderr"
ONCE = ["parts", "startup", "memory", "growth"]  # a second thread changes little: for the first number only


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(JOBS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="the usual sizes only, few rounds")
    parser.add_argument("--threads", default="1,2", metavar="N,N", help="one table each (default: 1,2)")
    parser.add_argument(
        "--kernels", metavar="NAME", help="OpenBLAS's kernels, as Haswell (default: it chooses)"
    )
    parser.add_argument("--out", metavar="FILE", help="write the Markdown there, too")
    parser.add_argument("--docs", metavar="FILE", help="put the tables between this file's markers")
    parser.add_argument("--child", metavar="JOB", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run_here(given.child, int(given.threads), given.quick)
        return
    for name in given.jobs:
        if name not in JOBS:
            parser.error(f"no job {name!r}; there are {', '.join(JOBS)}")
    free = sorted(os.sched_getaffinity(0)) if HOLDS else list(range(os.cpu_count() or 1))
    if not all(part.isdigit() and int(part) > 0 for part in given.threads.split(",")):
        parser.error(f"--threads is {given.threads}; it must be numbers >= 1, as 1,2")
    counts = [n for n in map(int, given.threads.split(",")) if n <= len(free)]
    if not counts:
        parser.error(f"--threads is {given.threads}; this machine has {len(free)} cores")
    needed = [name for name in ("torch", "jax") if not importlib.util.find_spec(name)]
    if needed and set(given.jobs or JOBS) - {"startup", "parts", "growth"}:
        parser.error(f"{' and '.join(needed)} must be there: make bench installs all that is compared")
    tables, ratios = run_all(given.jobs or JOBS, counts, free, given.quick, given.kernels)
    tables["goals"] = goals_table(ratios)
    text = "\n\n".join(f"## {name}\n\n{table}" for name, table in tables.items())
    print(text)
    if given.out:
        Path(given.out).write_text(text + "\n")
    failed = [name for name, table in tables.items() if FAILED in table]
    if given.docs:
        whole = not given.jobs and not failed  # of a part, the goals would be a part
        kept = {name for name in tables if name not in failed and (whole or name != "goals")}
        put_into(Path(given.docs), {name: tables[name] for name in kept})
    if failed:
        sys.exit(f"{', '.join(failed)} failed; see above")


def run_all(
    jobs: list[str], counts: list[int], free: list[int], quick: bool, kernels: str | None
) -> tuple[dict[str, str], dict[int, dict[str, float]]]:
    """The tables by name, and the ratios by number of threads."""
    tables: dict[str, list[str]] = {"machine": [child("machine", counts[0], free, quick, kernels)[0]]}
    ratios: dict[int, dict[str, float]] = {n: {} for n in counts}
    for job in jobs:
        for n in counts[:1] if job in ONCE else counts:
            print(f"{job}, {n} thread{'s' * (n > 1)}", file=sys.stderr, flush=True)
            before = times()
            table, found = child(job, n, free, quick, kernels)
            heading = "" if job in ONCE else f"{n} thread{'s' * (n > 1)}:\n\n"
            tables.setdefault(job, []).append(heading + table + busy(before, times()))
            ratios[n] |= found
    return {name: "\n\n".join(parts) for name, parts in tables.items()}, ratios


def times() -> tuple[float, float, float]:
    """Seconds of all cores, those of them that were idle, and those that our own processes had."""
    try:
        ticks = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    except OSError:  # not Linux
        return 0.0, 0.0, 0.0
    ours = os.times()
    unit = os.sysconf("SC_CLK_TCK")
    return sum(ticks) / unit, sum(ticks[3:5]) / unit, ours.children_user + ours.children_system


def busy(before: tuple[float, ...], after: tuple[float, ...]) -> str:
    """A warning where others used the machine meanwhile: threads that wait for each other suffer most."""
    total, idle, ours = (b - a for a, b in zip(before, after, strict=True))
    share = (total - idle - ours) / total if total else 0.0
    return f"\n\nBeside it other processes used {share:.0%} of the machine." if share > DISTURBED else ""


def child(
    job: str, threads: int, free: list[int], quick: bool, kernels: str | None
) -> tuple[str, dict[str, float]]:
    """A job in a process that is held to so many cores, its libraries told so before they are imported."""
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "REFGEN_THREADS": str(threads)}
    env |= {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    env |= {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    env |= {"OPENBLAS_CORETYPE": kernels} if kernels else {}
    command = [sys.executable, __file__, "--child", job, "--threads", str(threads), *["--quick"] * quick]
    hold = (lambda: os.sched_setaffinity(0, free[-threads:])) if HOLDS else None
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, preexec_fn=hold)
    if done.returncode:
        return FAILED, {}
    found = json.loads(done.stdout.splitlines()[-1])
    return found["table"], found["ratios"]


def run_here(job: str, threads: int, quick: bool) -> None:
    """The job in this process; its table and ratios as JSON."""
    table, ratios = importlib.import_module(job).measure(threads, quick)
    print(json.dumps({"table": table, "ratios": ratios}))


def put_into(path: Path, tables: dict[str, str]) -> None:
    """Replace what stands between `<!-- table: NAME -->` and `<!-- end -->` for each table that was made."""
    text = path.read_text()
    for name, table in tables.items():
        text = re.sub(
            rf"(<!-- table: {name} -->\n).*?(<!-- end -->)",
            lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    path.write_text(text)


if __name__ == "__main__":
    main()
