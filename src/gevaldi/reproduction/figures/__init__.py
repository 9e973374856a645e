"""What is drawn for a figure of the paper, a file each: a plain function `(evidence, **options) -> PaperFigure`."""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.registry import Call, Registry, options_for
from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import PaperFigure

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Registry("drawing for a figure of the paper", "gevaldi.reproduction.figures")


def paper_figure(evidence: Evidence, text: str) -> PaperFigure:
    """The figure `NAME,KEY=VALUE` of these runs.

    Raises:
        UnknownName, SpecError: there is no such figure, or it has no such option.
        NotTestable: the runs that it shows are not there.
    """
    call = Call.parse(text)
    drawn: Callable[..., PaperFigure] = partial(registry.get(call.name), evidence)
    return drawn(**options_for(drawn, call, registry.kind))
