"""D[p₁(y|x) ‖ p₂(y|x)]: how far apart the predictions of two classifiers are, per sample, from log-probabilities.

A divergence is a function `(log_p, log_q) -> (batch,)`. To add one, add a file that holds a function of the file's name, or name
your own: `python:FILE.py:NAME`. If it has a keyword `taxonomy`, it receives the run's.
"""

import inspect
from functools import partial
from typing import TYPE_CHECKING

from gevaldi.calls import Call, options_for
from gevaldi.errors import SpecError, describe_error
from gevaldi.registry import GIVEN, Registry

if TYPE_CHECKING:
    from gevaldi.divergences.base import Divergence, Traits
    from gevaldi.taxonomy.base import Taxonomy

registry = Registry("divergence", "gevaldi.divergences")


def divergence(text: str, classes: int | None = None, taxonomy: "Taxonomy | None" = None) -> "Divergence":
    """The divergence that a user names, such as `kl`, `renyi,order=2` or `log-odds,this=3,that=8`.

    Args:
        text: its name and options.
        classes: if given, the divergence is tried on predictions over this many classes, so that an invalid value is refused here
            and not in the first step of a run.
        taxonomy: the hierarchy of the classes, in the order of the predictions, for divergences that need one.

    Raises:
        UnknownName: there is no such divergence.
        SpecError: an option is missing, unknown or invalid, or the divergence needs a taxonomy and has none.
    """
    import torch

    call = Call.parse(text)
    function = registry.get(call.name)
    bound = partial(function, **options_for(function, call, registry.kind, GIVEN))
    if "taxonomy" in inspect.signature(function).parameters:
        if taxonomy is None:
            raise SpecError(
                f"The divergence {call.name!r} needs a hierarchy of the classes, and none is known for these labels. Name a "
                "bundled one or a file (--taxonomy ilsvrc, --taxonomy zoo.yaml), or give the labels WordNet ids: "
                "gevaldi.Label(name, id)."
            )
        bound = partial(bound, taxonomy=taxonomy)
    if classes is not None:
        probe = torch.zeros(3, classes).log_softmax(-1)
        try:
            found = bound(probe, probe)
        except (TypeError, ValueError) as error:
            raise SpecError(f"The divergence {text!r} cannot be used: {error}") from error
        except Exception as error:  # of a user's own function
            raise SpecError(f"The divergence {text!r} fails. {describe_error(error)}") from error
        if not isinstance(found, torch.Tensor) or found.shape != (3,):
            came = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, torch.Tensor) else f"a {type(found).__name__}"
            raise SpecError(
                f"The divergence {text!r} returns {came} for 3 samples. It takes two tensors of log-probabilities of shape (batch, "
                "classes) and returns one number per sample, of shape (batch,)."
            )
    return bound


def traits(function: "Divergence") -> "Traits":
    """The declared traits of a divergence; by default it counts as non-negative and unbounded."""
    from gevaldi.divergences.base import Traits

    inner = function.func if isinstance(function, partial) else function
    found = getattr(inner, "traits", Traits())
    assert isinstance(found, Traits)
    return found
