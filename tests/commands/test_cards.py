"""The commands about cards as real processes: Ctrl-C ends them at once and quietly; help without args."""

import signal
import subprocess
import sys
import time

import pytest

START = [sys.executable, "-c", "from refgen.cli import main; main()"]


def test_ctrl_c_ends_verify_at_once_and_quietly(tmp_path):
    process = subprocess.Popen(
        [*START, "verify"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()  # the first card is through: the workers are busy
    began = time.perf_counter()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.perf_counter() - began < 10
    assert errors.strip() == "refgen: interrupted"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [[], ["train"]])
def test_no_arguments_give_help(command):
    done = subprocess.run([*START, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ") and "Commands:" in done.stderr
