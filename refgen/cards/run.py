"""Verifying cards: one card, many cards in two processes, and a function of the user's own."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from refgen.cards.batches import on_batches
from refgen.cards.card import CARDS, Card, Wrong
from refgen.cards.judge import Verdict, plain
from refgen.cards.load import find_card, load_cards, load_function, name_of
from refgen.cards.search import counterexample, simplest_first, worst_case
from refgen.cards.setting import HOST, Setting

__all__ = ["CheckError", "check", "reject", "summary", "verify", "verify_all", "z_limit"]

# How many inputs a counterexample may be shrunk through: enough to read well in a run over all cards.
_SHORT = 150


def z_limit(statistics: int, chance: float = 1e-4) -> float:
    """The |z| that a correct Monte Carlo check exceeds with that chance, over all its statistics together.

    >>> round(z_limit(1), 2), round(z_limit(20), 2)
    (3.89, 4.56)
    """
    return float(-ndtri(chance / (2 * statistics)))


def verify(
    card: Card,
    *,
    formula: Callable[..., Any] | None = None,
    examples: int | None = None,
    random_seed: int = 0,
    precision: str = "float64",
    device: str = "cpu",
    shrinks: int | None = _SHORT,
) -> dict[str, Any]:
    """Check one card and try its wrong forms; the report is plain JSON.

    formula: the user's own function in place of the library's; the wrong forms are then left out, and where
    the library's takes points as (..., d), it must give for two what it gives for each.
    precision: float64, or float32. device: cpu, or gpu. Both are for the formula alone; a card of no
    `tolerance32` keeps to float64 on the host. Raises ValueError where there is no such device.
    """
    start = time.perf_counter()
    report: dict[str, Any] = {
        "id": card.id,
        "title": card.title,
        "evidence": f"{card.evidence}: {card.how}",
        "worst_error": 0.0,
        "tolerance": card.tolerance,
        "device": "cpu",
        "status": "pass",
        "formula": card.formula_name,
        "seconds": 0.0,
        "kind": card.kind,
        "rejects": [],
    }
    if card.check is None:
        return report
    library: Callable[..., Any] | None = card.formula
    assert library is not None
    setting = Setting(precision, device)
    report["device"] = setting.of(card).device
    tested = setting.inject(card, on_batches(formula, library) if formula else library)
    original, card = card, setting.adjust(card)
    report["tolerance"] = card.tolerance
    verdict, inputs, drawn = worst_case(card, tested, examples=examples, random_seed=random_seed)
    report["worst_error"] = _finite(verdict.error)
    if formula is not None:
        report["formula"] = name_of(formula)
    if not verdict.error <= card.tolerance:
        smallest = counterexample(card, tested, card.tolerance, shrinks=shrinks, random_seed=random_seed)
        report["status"] = "fail"
        verdict, inputs = smallest or (verdict, inputs)
        if verdict.error < 1e-4 and card.kind == "equation" and card.relative:
            digits = f"right to {-np.log10(verdict.error):.0f} digits"
            verdict = replace(verdict, note=f"{digits}: it loses accuracy here, or is wrong by a little")
        report["failure"] = _shown(verdict, inputs)
    elif formula is None:
        options: dict[str, Any] = dict(setting=setting, shrinks=shrinks, random_seed=random_seed)
        options["drawn"] = simplest_first(drawn)
        report["rejects"] = [reject(original, wrong, **options) for wrong in card.wrong]
        if not all(r["rejected"] for r in report["rejects"]):
            report["status"] = "fail"
    report["seconds"] = round(time.perf_counter() - start, 4)
    return report


def reject(
    card: Card,
    wrong: Wrong,
    *,
    drawn: Sequence[dict[str, Any]] = (),
    setting: Setting = HOST,
    shrinks: int | None = None,
    random_seed: int = 0,
) -> dict[str, Any]:
    """Try one wrong form of a card: was it rejected, by how much, and on which smallest inputs.

    drawn: inputs to take it from where they have one; without them the smallest of all is searched.
    """
    tested, card = setting.inject(card, wrong.formula), setting.adjust(card)
    shown = counterexample(
        card, tested, card.reject_at, drawn=drawn, shrinks=shrinks, random_seed=random_seed
    )
    report: dict[str, Any] = {"id": wrong.id, "kind": wrong.kind, "rejected": False, "error": None}
    report["counterexample"] = None
    if shown is None:
        report["note"] = f"no input gives an error above {card.reject_at:.1g}"
    elif shown[0].fault or not shown[0].comparable:
        report["note"] = shown[0].note  # the card is at fault: this is no rejection
    else:
        report.update(rejected=True, error=_finite(shown[0].error), counterexample=_shown(*shown))
    return report


def _shown(verdict: Verdict, inputs: dict[str, Any]) -> dict[str, Any]:
    shown = {"inputs": plain(inputs), "printed": verdict.claimed, "correct": verdict.derived}
    return shown | ({"note": verdict.note} if verdict.note else {})


def _finite(error: float) -> float | None:
    return float(error) if np.isfinite(error) else None


def _verify_by_id(job: tuple[str, str | None, dict[str, Any]]) -> dict[str, Any]:
    id, own, options = job
    with contextlib.redirect_stdout(sys.stderr):  # what a user's function prints must not end in the JSON
        return verify(CARDS[id], formula=load_function(own) if own else None, **options)


def verify_all(
    ids: Sequence[str],
    *,
    own: dict[str, str] | None = None,
    files: Sequence[str] = (),
    processes: int = 2,
    **options: Any,
) -> Iterator[dict[str, Any]]:
    """The reports of those cards, as they are finished.

    own: 'module:function' of the user by card ID. files: Python files of cards, for the workers to load.
    options: as for `verify`. A definition passes when the cards that show it pass; they are run if need be.
    """
    own = own or {}
    run = [id for id in _with_what_shows(ids) if CARDS[id].check is not None]
    jobs = [(id, own.get(id), options) for id in run]
    passed: dict[str, bool] = {}
    for report in _run(jobs, files, processes):
        passed[report["id"]] = report["status"] == "pass"
        if report["id"] in ids:
            yield report
    for id in ids:
        if CARDS[id].check is None:
            report = verify(CARDS[id])
            failed = _failed(id, passed, set())
            if failed:
                report["status"] = "fail"
                report["failure"] = {"note": f"shown by {', '.join(failed)}, which fails or is not there"}
            yield report


def _with_what_shows(ids: Iterable[str]) -> list[str]:
    """Those cards and, for each definition, the cards that it rests on."""
    found: dict[str, None] = {}
    waiting = [*ids]
    while waiting:
        id = waiting.pop(0)
        if id in CARDS and id not in found:
            found[id] = None
            waiting += CARDS[id].shown_by
    return list(found)


def _failed(id: str, passed: dict[str, bool], seen: set[str]) -> list[str]:
    """What a definition rests on and does not pass."""
    seen.add(id)
    failed = []
    for shown in CARDS[id].shown_by:
        if "." in shown:  # a test (tests/file.py::name) or an experiment's module; pytest runs both
            continue
        if shown not in CARDS:
            failed.append(shown)
        elif CARDS[shown].check is None:
            failed += [] if shown in seen else _failed(shown, passed, seen)
        elif not passed.get(shown, False):
            failed.append(shown)
    return failed


def _run(
    jobs: list[tuple[str, str | None, dict[str, Any]]], files: Sequence[str], processes: int
) -> Iterator[dict[str, Any]]:
    if processes < 2 or len(jobs) < 4:
        yield from map(_verify_by_id, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(tuple(files),)) as pool:
        try:
            for done in as_completed([pool.submit(_verify_by_id, job) for job in jobs]):
                yield done.result()
        except BrokenProcessPool:
            raise OSError("a process that verifies died; --processes 1 shows more") from None
        except BaseException:  # Ctrl-C, or whoever asked for the reports wants no more
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _begin(files: Sequence[str]) -> None:
    """What a worker does first. Ctrl-C is for the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_cards(files)
    gc.freeze()  # what is loaded stays: the collector need not walk through SciPy again and again


def summary(reports: Iterable[dict[str, Any]], seconds: float, device: str = "cpu") -> dict[str, Any]:
    """Counts over the reports; `misprints` counts all wrong forms, mutants too, `rejected` those caught."""
    reports = list(reports)
    rejects = [r for report in reports for r in report["rejects"]]
    passed = sum(report["status"] == "pass" for report in reports)
    return {
        "cards": len(reports),
        "passed": passed,
        "failed": len(reports) - passed,
        "misprints": len(rejects),
        "rejected": sum(r["rejected"] for r in rejects),
        "device": device,
        "seconds": round(seconds, 2),
    }


class CheckError(AssertionError):
    """The function disagrees with the card; the message shows the smallest counterexample."""


def check(
    id: str, function: Callable[..., Any], *, examples: int | None = None, random_seed: int = 0
) -> dict[str, Any]:
    """Check one's own function against a card, for use in one's own tests.

    Returns the report of `refgen verify`. Raises CheckError (an AssertionError) with the smallest
    counterexample where the function is wrong, ValueError where there is no such card.

    >>> import refgen
    >>> refgen.check("GAU-7", lambda A, B, x: A * (x - B / (2 * A)) ** 2)["status"]
    'pass'
    """
    load_cards(())
    report = verify(find_card(id), formula=function, examples=examples, random_seed=random_seed, shrinks=None)
    if report["status"] == "fail":
        from refgen.cards.text import counterexample_line

        raise CheckError(f"{id}: {counterexample_line(report['failure'], wrong='yours')}")
    return report
