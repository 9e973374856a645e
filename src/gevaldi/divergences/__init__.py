"""D[p₁(y|x) ‖ p₂(y|x)]: how far the predictions of two classifiers are apart, per sample, from log-probabilities.

A divergence is a plain function `(log_p, log_q) -> (batch,)`. To add one, add a file that holds a function of the file's name.
"""

from functools import partial
from typing import TYPE_CHECKING

from gevaldi.errors import SpecError
from gevaldi.registry import Call, Registry

if TYPE_CHECKING:
    from gevaldi.divergences.base import Divergence, Traits

registry = Registry("divergence", "gevaldi.divergences")


def divergence(text: str) -> "Divergence":
    """The divergence that a user names: `kl`, `renyi,order=2`, `log-odds,this=3,that=8`.

    Raises:
        UnknownName: there is no such divergence.
        SpecError: an option is missing, unknown or impossible.
    """
    import inspect

    import torch

    call = Call.parse(text)
    function = registry.get(call.name)
    options = {name: p for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
    missing = [name for name, p in options.items() if p.default is p.empty and name not in call.options]
    unknown = [name for name in call.options if name not in options]
    if missing or unknown:
        problem = f"needs {', '.join(missing)}" if missing else f"has no option {', '.join(unknown)}"
        takes = f"It takes {', '.join(options)}" if options else "It takes no options"
        raise SpecError(
            f"The divergence {call.name!r} {problem}. {takes}, for example 'renyi,order=2' or 'log-odds,this=3,that=8'."
        )
    bound = partial(function, **call.options)
    if not {"this", "that"} & options.keys():
        probe = torch.full((1, 2), 0.5).log()
        try:
            bound(probe, probe)  # an impossible value is refused here, at the border, and not in the first step of a run
        except (TypeError, ValueError) as error:
            raise SpecError(f"The divergence {text!r} cannot be used: {error}") from error
    return bound


def traits(function: "Divergence") -> "Traits":
    """What a divergence claims of itself; one without claims is taken to be non-negative and unbounded."""
    from gevaldi.divergences.base import Traits

    inner = function.func if isinstance(function, partial) else function
    found = getattr(inner, "traits", Traits())
    assert isinstance(found, Traits)
    return found
