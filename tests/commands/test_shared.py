"""What the commands share: progress on a terminal and in a log, near names, the program's own name."""

import sys

import click
import pytest

from refgen.commands import shared


def test_progress_in_a_log_is_a_line_each_tenth(capsys):
    progress = shared.Progress("work", 1000)
    for done in range(10, 1001, 10):
        progress(done, "note")
    lines = capsys.readouterr().err.splitlines()
    assert 10 <= len(lines) <= 12
    assert lines[0].startswith("work  10/1000") and lines[-1].startswith("work  1000/1000")
    assert all(line.endswith("note") for line in lines)
    assert "s left" in lines[3] and "/s" in lines[3]


def test_progress_on_a_terminal_redraws_one_line(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress = shared.Progress("work", 4)
    for done in range(1, 5):
        progress(done)
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.endswith("\n")
    assert "[####################]" in text


def test_progress_that_is_done_at_once(capsys):
    shared.Progress("work", 1)(1)
    assert capsys.readouterr().err.startswith("work  1/1")


@pytest.mark.parametrize(("name", "hint"), [("mons", "moons"), ("MOONS", "moons"), ("xyz", "")])
def test_near_names(name, hint):
    text = shared.did_you_mean(name, ["moons", "ring"])
    assert hint in text and bool(text) == bool(hint)


def test_a_name_type_lists_what_there_is():
    kind = shared.Name("picture", lambda: ["overview", "loss"])
    assert kind.convert("loss", None, None) == "loss"
    with pytest.raises(click.BadParameter, match="there are overview, loss"):
        kind.convert("xyzzy", None, None)


def test_json_is_strict(capsys):
    shared.print_json({"a": [1.5, None]})
    assert capsys.readouterr().out.strip().startswith("{")
    with pytest.raises(ValueError, match="JSON compliant"):
        shared.print_json({"a": float("nan")})


@pytest.mark.parametrize(("argv", "name"), [("cli.py", "python cli.py"), ("/no/where/pytest", "refgen")])
def test_the_programs_own_name(argv, name, monkeypatch):
    monkeypatch.setattr(sys, "argv", [argv])
    assert shared.program() == name


def test_the_program_off_the_path_is_called_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / ".venv" / "bin" / "refgen")])
    assert shared.program() == ".venv/bin/refgen"


def test_a_docstring_is_told_without_markup():
    def documented():
        r"""A game of two.                                             [GAN-1 to GAN-6]

        .. math:: \min_G\max_D
                  V

        Where :math:`p` is a law, it says [this].
        """

    assert shared.plain_text(documented) == "A game of two.\n\nWhere p is a law, it says [this]."
