"""tools/gpu.sh refuses where there is no GPU; tools/gpu_report.py counts what it is given."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = "# The GPU\n\n<!-- results -->\n\nNot yet run.\n\n<!-- end -->\n\n## More\n"


def gpu_sh(folder: Path, nvidia_smi: str | None, *options: str) -> subprocess.CompletedProcess:
    """The script with this nvidia-smi, or with none, first on the PATH."""
    for tool in ("bash", "sed", "head", "dirname", "env"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    if nvidia_smi is not None:
        (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{nvidia_smi}\n")
        (folder / "nvidia-smi").chmod(0o755)
    command = ["bash", str(ROOT / "tools/gpu.sh"), *options]
    return subprocess.run(command, env=os.environ | {"PATH": str(folder)}, capture_output=True, text=True)


@pytest.mark.parametrize("nvidia_smi", [None, "exit 9", "exit 0"])
def test_without_a_gpu_one_line_says_so_and_the_page_stays(tmp_path, nvidia_smi):
    before = (ROOT / "docs/gpu.md").read_bytes()
    done = gpu_sh(tmp_path, nvidia_smi)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("tools/gpu.sh: no NVIDIA GPU here") and done.stderr.count("\n") == 1
    assert (ROOT / "docs/gpu.md").read_bytes() == before


def test_a_gpu_that_cupy_does_not_see_is_refused_in_one_line(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no CuPy\n")
    python.chmod(0o755)
    done = gpu_sh(tmp_path, 'echo "Card, 580.1, 1 MiB"', "--no-install", "--python", str(python))
    assert (done.returncode, done.stderr) == (1, "tools/gpu.sh: no CuPy; nothing was run\n")


def test_an_unknown_option_is_refused(tmp_path):
    done = gpu_sh(tmp_path, None, "--fast")
    assert done.returncode == 2 and "no option --fast" in done.stderr


def report(folder: Path, cards: list[dict], cases: str) -> str:
    (folder / "card.txt").write_text("Some Card, 580.1, 1024 MiB\n")
    (folder / "tests.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    (folder / "verify.out").write_text(json.dumps({"cards": cards}))
    (folder / "benchmark.out").write_text("| the | table |\n")
    (folder / "page.md").write_text(PAGE)
    command = [sys.executable, str(ROOT / "tools/gpu_report.py"), str(folder), str(folder / "page.md")]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "page.md").read_text()


def test_the_report_counts_tests_and_cards(tmp_path):
    card = {"status": "pass", "device": "gpu", "tolerance": 1e-12}
    cards = [
        card | {"id": "A", "worst_error": 1e-13},
        card | {"id": "B", "worst_error": 4e-13},
        card | {"id": "C", "worst_error": 9e-12, "status": "FAIL"},
        card | {"id": "D", "worst_error": 1.0, "device": "cpu"},
    ]
    cases = (
        '<testcase classname="t" name="a[gpu]"/><testcase classname="t" name="b[gpu-x]"><failure/></testcase>'
        '<testcase classname="t" name="a[double]"/><testcase classname="t" name="c"><skipped/></testcase>'
    )
    text = report(tmp_path, cards, cases)
    assert "Some Card, 1024 MiB" in text and "| driver | 580.1 |" in text and "| the | table |" in text
    assert (
        "Tests: 2 passed, 1 failed, 1 skipped in tests/device; of these on the GPU 1 passed, 1 failed."
        in text
    )
    assert "- `t::b[gpu-x]` failure" in text
    assert "2 of 3 cards passed on the GPU; 1 stay on the host" in text and "- C: FAIL" in text
    assert "nearest its tolerance is C" in text
    assert "Not yet run" not in text and text.endswith("<!-- end -->\n\n## More\n")
    assert report_again(tmp_path) == text  # its markers are still there
    (tmp_path / "benchmark.failed").touch()
    assert "| the | table |\n\nThe benchmark did not run to its end.\n" in report_again(tmp_path)


def report_again(folder: Path) -> str:
    command = [sys.executable, str(ROOT / "tools/gpu_report.py"), str(folder), str(folder / "page.md")]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "page.md").read_text()


def test_what_did_not_run_is_said(tmp_path):
    (tmp_path / "card.txt").write_text("Some Card, 580.1, 1024 MiB\n")
    (tmp_path / "benchmark.out").write_text("")
    (tmp_path / "page.md").write_text(PAGE)
    text = report_again(tmp_path)
    assert text.count("did not run to") == 3
