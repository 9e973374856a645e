"""Claims of the paper, tested on the rows of runs, a file each: a plain function `(evidence, **options) -> Finding`."""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.registry import Call, Registry, options_for
from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Registry("claim", "gevaldi.reproduction.claims")


def finding_of(evidence: Evidence, text: str) -> Finding:
    """What these runs say to a claim, `NAME,KEY=VALUE`; not tested, and why, where they cannot say anything.

    Raises:
        UnknownName, SpecError: there is no such claim, or it has no such option.
    """
    call = Call.parse(text)
    claim: Callable[..., Finding] = partial(registry.get(call.name), evidence)
    try:
        return claim(**options_for(claim, call, registry.kind))
    except NotTestable as reason:
        return Finding("not tested", rests_on=str(reason))
