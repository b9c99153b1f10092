"""The bibliography: every source once, and citations that read well."""

import pytest

from refgen.sources import HO_2020, SOURCES, Source


def test_every_source_stands_once():
    assert (
        len({s.short for s in SOURCES.values()}) == len({s.title for s in SOURCES.values()}) == len(SOURCES)
    )


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_source_says_what_it_is_and_where(source: Source):
    assert source.short and source.title and source.found


def test_a_citation_reads_as_in_a_paper():
    assert str(HO_2020("eq. 7")) == "Ho et al. 2020, eq. 7"
    assert str(HO_2020()) == "Ho et al. 2020"
