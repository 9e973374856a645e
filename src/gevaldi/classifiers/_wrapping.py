"""How sources that change another classifier read its name."""

from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


def inner(source: str, name: str, options: dict[str, Any]) -> "Classifier":
    """The classifier whose name follows that of a source, as in `pruned:timm:resnet50.a1_in1k,amount=0.5`, with its own options.

    Brackets around it are left out: `pruned:(timm:resnet50.a1_in1k,weights=FILE),amount=0.5` is the same.

    Raises:
        UnknownName, SpecError, WeightsError: as for the classifier alone.
    """
    from gevaldi.calls import Call
    from gevaldi.classifiers import load_classifier, sources

    call = Call(name, {})
    if name.startswith("(") and name.endswith(")"):
        call = Call.parse(name[1:-1])
    if ":" not in call.name:
        raise SpecError(f"{source}:{name} names no classifier; one was expected as {source}:torchvision:resnet50.")
    found = load_classifier(sources.construct(Call(call.name, call.options | options)))
    found.name = found.name or call.name
    return found


def several(source: str, name: str) -> "list[Classifier]":
    """The classifiers of `(NAME,OPTIONS)+(NAME)`, where brackets are needed around those with options.

    Raises:
        UnknownName, SpecError, WeightsError: as for each alone.
    """
    from gevaldi.quoting import split_unquoted

    return [inner(source, part.strip(), {}) for part in split_unquoted(name, "+")]
