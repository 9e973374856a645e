"""Claims of the paper, tested on the rows of runs; one per file, a plain function `(evidence, **options) -> Finding`."""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.calls import Call, options_for
from gevaldi.registry import Registry
from gevaldi.reproduction.evidence import Evidence, Finding, NotTestable

if TYPE_CHECKING:
    from collections.abc import Callable

registry = Registry("claim", "gevaldi.reproduction.claims")


def finding_of(evidence: Evidence, text: str) -> Finding:
    """The result of testing a claim, `NAME,KEY=VALUE`, on these runs; not tested, with the reason, if they cannot test it.

    Raises:
        UnknownName, SpecError: the claim or an option is unknown.
    """
    call = Call.parse(text)
    claim: Callable[..., Finding] = partial(registry.get(call.name), evidence)
    try:
        return claim(**options_for(claim, call, registry.kind))
    except NotTestable as reason:
        return Finding("not tested", rests_on=str(reason))
