"""Drawings of the paper's figures; one per file, a plain function `(evidence, **options) -> PaperFigure`."""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.calls import Call, options_for
from gevaldi.registry import Registry
from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import PaperFigure

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Registry("drawing for a figure of the paper", "gevaldi.reproduction.figures")


def paper_figure(evidence: Evidence, text: str) -> PaperFigure:
    """The figure `NAME,KEY=VALUE` of these runs.

    Raises:
        UnknownName, SpecError: the figure or an option is unknown.
        NotTestable: the runs that it shows are missing.
    """
    call = Call.parse(text)
    drawn: Callable[..., PaperFigure] = partial(registry.get(call.name), evidence)
    return drawn(**options_for(drawn, call, registry.kind))
