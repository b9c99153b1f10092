"""Put what tools/gpu.sh found into docs/gpu.md, between its markers.

python tools/gpu_report.py FOLDER_OF_LOGS PAGE
"""

from __future__ import annotations

import json
import platform
import re
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

BETWEEN = re.compile(r"(<!-- results -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    logs, page = Path(sys.argv[1]), Path(sys.argv[2])
    parts = [machine_lines(logs), test_line(logs / "tests.xml"), verify_line(logs / "verify.out")]
    benchmark = (logs / "benchmark.out").read_text().strip()
    parts += [benchmark] if benchmark else []
    if not benchmark or (logs / "benchmark.failed").exists():
        parts.append("The benchmark did not run to its end.")
    body = "\n\n".join(parts)
    text, count = BETWEEN.subn(lambda found: f"{found[1]}\n{body}\n\n{found[2]}", page.read_text())
    if count != 1:
        sys.exit(f"{page} has {count} places for results; it must have one, <!-- results --> to <!-- end -->")
    page.write_text(text)
    print(f"{page}: written")


def machine_lines(logs: Path) -> str:
    """The card, its driver, and the versions."""
    name, driver, memory = (part.strip() for part in (logs / "card.txt").read_text().rsplit(",", 2))
    cupy = [found for found in distributions() if (found.name or "").startswith("cupy")]
    wheels = ", ".join(f"{found.name} {found.version}" for found in cupy) or "not there"
    rows = [
        ("run", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("card", f"{name}, {memory}"),
        ("driver", driver),
        ("CUDA of driver, of CuPy", cuda_versions()),
        ("CuPy", wheels),
        ("NumPy, autograd", ", ".join(map(installed, ("numpy", "autograd")))),
        ("Python", f"{platform.python_version()}, {platform.platform()}"),
    ]
    return "\n".join(["|  |  |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def cuda_versions() -> str:
    try:
        from cupy.cuda import runtime

        both = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        return ", ".join(f"{value // 1000}.{value % 1000 // 10}" for value in both)
    except Exception as error:  # CuPy raises a type of its own for each library that fails
        return f"unknown ({error})"


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def test_line(file: Path) -> str:
    """How many tests passed, and which failed; those on the GPU counted apart."""
    if not file.exists():
        return "Tests: did not run to their end."
    verdicts: dict[str, str] = {}
    for case in ET.parse(file).iter("testcase"):
        bad = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        verdicts[f"{case.get('classname')}::{case.get('name')}"] = bad[0] if bad else "passed"
    on_gpu = {name: verdict for name, verdict in verdicts.items() if re.search(r"[\[-]gpu\b", name)}
    said = [f"{count(verdicts)} in tests/device; of these on the GPU {count(on_gpu)}."]
    said += [f"- `{name}` {verdict}" for name, verdict in verdicts.items() if verdict in ("failure", "error")]
    return "Tests: " + "\n".join(said)


def count(verdicts: dict[str, str]) -> str:
    """As in '41 passed, 2 failed, 1 skipped'."""
    found = list(verdicts.values())
    failed = found.count("failure") + found.count("error")
    parts = [(found.count("passed"), "passed"), (failed, "failed"), (found.count("skipped"), "skipped")]
    return ", ".join(f"{number} {what}" for number, what in parts if number or what == "passed")


def verify_line(file: Path) -> str:
    """How many cards passed on the GPU, the one nearest its tolerance, and those that failed."""
    try:
        cards = json.loads(file.read_text())["cards"]
    except (OSError, ValueError, KeyError):
        return "`refgen verify --device gpu`: did not run to its end."
    there = [card for card in cards if card.get("device") == "gpu"]
    passed = sum(card["status"] == "pass" for card in there)
    said = [
        f"`refgen verify --device gpu`: {passed} of {len(there)} cards passed on the GPU; "
        f"{len(cards) - len(there)} stay on the host."
    ]
    measured = [card for card in there if card.get("worst_error") is not None and card.get("tolerance")]
    if measured:
        worst = max(measured, key=lambda card: card["worst_error"] / card["tolerance"])
        said[0] += (
            f" The card nearest its tolerance is {worst['id']}: {worst['worst_error']:.1g} of "
            f"{worst['tolerance']:.1g}."
        )
    said += [f"- {card['id']}: {card['status']}" for card in there if card["status"] != "pass"]
    return "\n".join(said)


if __name__ == "__main__":
    main()
