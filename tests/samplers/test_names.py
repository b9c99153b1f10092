import pytest

from refgen import samplers


def test_every_name_is_a_function_with_a_line_about_it():
    assert "ancestral" in samplers.NAMES
    for name in samplers.NAMES:
        assert callable(samplers.named(name))
        assert samplers.named(name).__name__ == name
        assert 20 < len(samplers.describe(name)) < 90


def test_an_unknown_name_is_answered_with_a_near_one():
    for ask in (samplers.named, samplers.describe):
        with pytest.raises(ValueError, match=r"^no sampler 'ancestor'; did you mean .*ancestral"):
            ask("ancestor")
