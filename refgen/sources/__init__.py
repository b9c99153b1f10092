"""The bibliography: every source once, with its title and where it is found.

A source is called with the place inside it: `HO_2020("eq. 7")` is the citation that cards carry.
"""

# ruff: noqa: F403  (each module says in __all__ what it gives)

from __future__ import annotations

from refgen.sources import adversarial, diffusion, flows, general, latent, lectures, scores
from refgen.sources.adversarial import *
from refgen.sources.diffusion import *
from refgen.sources.flows import *
from refgen.sources.general import *
from refgen.sources.latent import *
from refgen.sources.lectures import *
from refgen.sources.scores import *
from refgen.sources.source import Citation, Source

__all__ = ["SOURCES", "Citation", "Source"]
__all__ += adversarial.__all__
__all__ += diffusion.__all__
__all__ += flows.__all__
__all__ += general.__all__
__all__ += latent.__all__
__all__ += lectures.__all__
__all__ += scores.__all__

SOURCES: dict[str, Source] = {
    name: getattr(subject, name)
    for subject in (lectures, adversarial, diffusion, flows, general, latent, scores)
    for name in subject.__all__
}
