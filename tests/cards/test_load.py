"""Cards and functions are found by name and by file, and what is not there is said in one line."""

import subprocess
import sys

import pytest

from refgen.cards import CARDS
from refgen.cards.load import (
    find_card,
    find_cards,
    find_misprints,
    load_cards,
    load_file,
    load_function,
    name_of,
    search_cards,
)
from refgen.derivations import TOPICS

load_cards()


def test_cards_stand_in_the_order_of_the_topics():
    topics = list(dict.fromkeys(card.topic for card in CARDS.values()))
    assert topics[: len(TOPICS)] == list(TOPICS)
    numbers = [int(card.row.split("-")[1]) for card in CARDS.values() if card.topic == "POST"]
    assert numbers == sorted(numbers)


def test_names_that_are_not_there():
    with pytest.raises(ValueError, match="has several parts; name one: POST-5/mean, POST-5/var"):
        find_card("POST-5")
    with pytest.raises(ValueError, match="is a definition; it has no formula"):
        find_card("DELBO-9")
    with pytest.raises(ValueError, match="did you mean"):
        find_cards("POTS")
    with pytest.raises(ValueError, match="no misprint 'ERR-99'"):
        find_misprints("ERR-99")
    with pytest.raises(ValueError, match="no card matches"):
        search_cards("no such words")
    with pytest.raises(ValueError, match="module:function"):
        load_function("nonsense")
    with pytest.raises(ValueError, match="cannot import"):
        load_function("no.such.module:f")
    with pytest.raises(ValueError, match="has no function 'poserior_mean'; did you mean posterior_mean"):
        load_function("refgen.formulas.posterior:poserior_mean")
    with pytest.raises(ValueError, match="no such file"):
        load_file("missing.py")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:", "SyntaxError on import"),
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; sys.exit(0)", "SystemExit"),
    ],
)
def test_a_file_that_cannot_be_imported(tmp_path, text, says):
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(ValueError, match=says):
        load_file(str(tmp_path / "broken.py"))


def test_files_keep_out_of_each_others_way(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "json.py").write_text(f"def f(x):\n    return {folder!r}\n")
    functions = [load_function(f"{tmp_path / folder / 'json.py'}:f") for folder in ("a", "b", "c")]
    assert [f(0) for f in functions] == ["a", "b", "c"]
    assert name_of(functions[0]) == "json.py:f"
    import json

    assert json.loads("1") == 1


def test_a_dotted_name_and_a_neighbour(tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("def twice(x):\n    return 2 * x\n")
    (tmp_path / "my.functions.py").write_text("from neighbour_of_mine import twice\n")
    assert load_function(f"{tmp_path / 'my.functions.py'}:twice")(3) == 6


def test_a_file_that_shadows_the_standard_library_breaks_nothing(tmp_path):
    (tmp_path / "random.py").write_text("raise RuntimeError('not the random you want')\n")
    (tmp_path / "mine.py").write_text("def square(A, B, x):\n    return A * (x - B / (2 * A)) ** 2\n")
    args = ["verify", "--formula", "GAU-7=mine:square", "GAU", "--examples", "5"]
    command = [sys.executable, "-P", "-c", f"from refgen.cli import main; main({args})"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "FAIL" not in done.stdout and "pass  GAU-11" in done.stdout
