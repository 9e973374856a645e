"""What is drawn of a figure of the paper: a plate a file, a plain function `(evidence, **options) -> Plate`."""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.registry import Call, Registry, options_for
from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import Plate

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Registry("plate", "gevaldi.reproduction.figures")


def plate_of(evidence: Evidence, text: str) -> Plate:
    """The plate `NAME,KEY=VALUE` of these runs.

    Raises:
        UnknownName, SpecError: there is no such plate, or it has no such option.
        NotTestable: the runs that it shows are not there.
    """
    call = Call.parse(text)
    drawn: Callable[..., Plate] = partial(registry.get(call.name), evidence)
    return drawn(**options_for(drawn, call, registry.kind))
