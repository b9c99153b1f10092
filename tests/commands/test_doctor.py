"""refgen doctor, as a user runs it."""

import json

from click.testing import CliRunner

from refgen.cli import main


def test_doctor_prints_what_a_bug_report_needs():
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    for word in ("refgen", "numpy", "kernels", "threads", "cupy", "platform"):
        assert word in result.stdout


def test_doctor_as_json():
    result = CliRunner().invoke(main, ["doctor", "--json"])
    report = json.loads(result.stdout)
    assert set(report) == {"system", "packages", "blas", "gpu", "settings", "notes"}
