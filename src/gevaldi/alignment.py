"""Two classifiers over one set of classes, where each has its own: other orders, subsets, a class more, coarser classes.

Classes are the same if they have the same taxonomy id, or because the user says so; names alone decide only where both classifiers
have exactly the same names. What one of them does not know is left out, and the predictions renormalised over the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import log_sum_exp
from gevaldi.errors import ContractError, SpecError, UnknownName
from gevaldi.models import Classifier, Label, Pictures
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.labels import Said, mapping_of, over


class Aligned(Classifier):
    """A classifier over other classes than its own: labels of one class added up, some left out, renormalised over the rest.

    Attributes:
        inner: the classifier as it was.
        places: for each of its labels the place among the new ones; None for one that is left out.
    """

    table: Tensor

    def __init__(self, inner: Classifier, places: Sequence[int | None], labels: Sequence[Label]) -> None:
        super().__init__()
        self.inner, self.places, self.labels, self.name = inner, tuple(places), tuple(labels), inner.name
        self.training = inner.training
        sources = [[i for i, place in enumerate(places) if place == new] for new in range(len(labels))]
        widest, nothing = max(map(len, sources)), len(places)  # one past the last class stands for a class of probability zero
        table = torch.tensor([source + [nothing] * (widest - len(source)) for source in sources])
        self.register_buffer("table", table, persistent=False)

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log p(y|x) over the new classes."""
        log_p = self._kept(pictures)
        return log_p - log_sum_exp(log_p).unsqueeze(-1) if None in self.places else log_p

    def kept(self, pictures: Pictures) -> Float[Tensor, " batch"]:
        """The probability that the classifier gives to classes that are not left out, before it is renormalised."""
        return log_sum_exp(self._kept(pictures)).exp()

    def _kept(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        terms = torch.nn.functional.pad(self.inner(pictures), (0, 1), value=-torch.inf)[:, self.table]
        return terms.squeeze(-1) if terms.shape[-1] == 1 else log_sum_exp(terms)


@dataclass(frozen=True)
class Alignment:
    """Two classifiers that can be compared, and how they came to be so.

    Attributes:
        first, second: over the same classes in the same order.
        how: as they are, by id, by name, or as the user said.
    """

    first: Classifier
    second: Classifier
    how: str = "as they are"

    def record(self) -> dict[str, Any]:
        """As `run.json` keeps it: for each classifier, which labels are left out and which were added up."""
        sides = {"first": self.first, "second": self.second}
        return {"how": self.how, "classes": len(self.first.labels)} | {who: _changes(side) for who, side in sides.items()}


def align(
    first: Classifier,
    second: Classifier,
    first_classes: Said = None,
    second_classes: Said = None,
    taxonomy: Taxonomy | None = None,
) -> Alignment:
    """The two over the classes that both know, in the first one's order.

    Args:
        first: a classifier.
        second: the other one.
        first_classes: what the first one's labels are; those not mentioned keep their ids, or names where it has no ids.
        second_classes: the same of the second.
        taxonomy: if given, classes and labels without ids may be named as it names them.

    Raises:
        ContractError: they have other classes, and nothing says which are the same.
        SpecError, TaxonomyError, UnknownName: what was said of a label fits none, or several, which are listed.
    """
    sides, said = (first.labels, second.labels), (mapping_of(first_classes), mapping_of(second_classes))
    told = any(entry is not None for entry in said)
    if not told and _are_same(*sides):
        return Alignment(first, second)
    have_ids = [any(label.id for label in labels) for labels in sides]
    names = [sorted(label.name for label in labels) for labels in sides]
    if not told and not all(have_ids) and taxonomy is None:
        if names[0] == names[1] and len(set(names[0])) == len(names[0]):
            return _over_common(first, second, [[label.name for label in labels] for labels in sides], "by name", None)
        if len(first.labels) == len(second.labels):
            return Alignment(first, second)  # the contract warns of the names
        raise ContractError(
            f"The first classifier has {len(first.labels)} classes and the second {len(second.labels)}, and nothing says which "
            "are the same. Give the labels taxonomy ids, gevaldi.Label(name, id), or say what they are by first_classes and "
            "second_classes."
        )
    keys = [_keys(labels, entry or {}, sides[1 - i], taxonomy) for i, (labels, entry) in enumerate(zip(sides, said, strict=True))]
    return _over_common(first, second, keys, "as the user said" if told else "by id", taxonomy)


def _are_same(first: Sequence[Label], second: Sequence[Label]) -> bool:
    return len(first) == len(second) and all(
        a.id == b.id if a.id and b.id else a.name == b.name for a, b in zip(first, second, strict=True)
    )


def _keys(
    labels: Sequence[Label], said: Mapping[str, str | None], others: Sequence[Label], taxonomy: Taxonomy | None
) -> list[str | None]:
    """What tells a label's class: what was said of it, its id, its node in the taxonomy or, where no label has an id, its name."""
    keys: dict[int, str | None] = {}
    for text, value in said.items():
        keys[_place(text, labels)] = None if value is None else _class_meant(value, others, taxonomy)
    rest = [i for i in range(len(labels)) if i not in keys]
    if any(label.id for label in labels):
        keys |= {i: labels[i].id for i in rest}
    elif taxonomy is not None and rest:
        placed = over(taxonomy, [(labels[i].name, None) for i in rest])
        keys |= dict(zip(rest, placed.classes, strict=True))
    else:
        keys |= {i: labels[i].name for i in rest}
    return [keys[i] for i in range(len(labels))]


def _place(text: str, labels: Sequence[Label]) -> int:
    """The label that a user means, by id, name or index."""
    found = [i for i, label in enumerate(labels) if text in (label.id, label.name)]
    if not found and text.isdigit() and int(text) < len(labels):
        return int(text)
    if len(found) > 1:
        raise SpecError(f"{text!r} is the name of {len(found)} labels: {_candidates(found, labels)}. Give an id or an index.")
    if not found:
        raise UnknownName("label", text, {label.name for label in labels})
    return found[0]


def _class_meant(value: str, others: Sequence[Label], taxonomy: Taxonomy | None) -> str:
    """The class that a user means: of the taxonomy, or of the other classifier; otherwise one that the user made up."""
    if taxonomy is not None:
        return value if value in taxonomy.hypernyms else taxonomy.find(value, index=False)
    if value in {label.id for label in others}:
        return value
    found = [i for i, label in enumerate(others) if label.name == value]
    if len(found) > 1:
        raise SpecError(f"{value!r} is the name of {len(found)} classes: {_candidates(found, others)}. Give an id.")
    return (others[found[0]].id or value) if found else value


def _candidates(places: Sequence[int], labels: Sequence[Label]) -> str:
    return "; ".join(f"{i} ({labels[i].id or 'no id'})" for i in places)


def _over_common(
    first: Classifier, second: Classifier, keys: Sequence[Sequence[str | None]], how: str, taxonomy: Taxonomy | None
) -> Alignment:
    common = [key for key in dict.fromkeys(keys[0]) if key is not None and key in set(keys[1])]
    if len(common) < 2:
        only = [f"the {who}'s are such as {', '.join(map(repr, [key for key in side if key][:3]))}" for who, side in _named(keys)]
        raise ContractError(
            f"The two classifiers have {len(common)} classes in common, where two or more were expected: {'; '.join(only)}. "
            "Say which are the same by first_classes and second_classes, or give the labels ids of one taxonomy."
        )
    labels = [_label(key, (first.labels, second.labels), keys, taxonomy) for key in common]
    places = {key: i for i, key in enumerate(common)}
    sides = [
        Aligned(side, [places.get(key) if key is not None else None for key in own], labels)
        for side, own in zip((first, second), keys, strict=True)
    ]
    return Alignment(sides[0], sides[1], how)


def _named(keys: Sequence[Any]) -> list[tuple[str, Any]]:
    return list(zip(("first", "second"), keys, strict=True))


def _label(key: str, sides: Sequence[Sequence[Label]], keys: Sequence[Sequence[str | None]], taxonomy: Taxonomy | None) -> Label:
    """A common class: called as a label that alone makes it up, one whose name the class bears or else the first one's."""
    sources = [
        [label for label, own in zip(labels, side, strict=True) if own == key] for labels, side in zip(sides, keys, strict=True)
    ]
    alone = [group[0].name for group in sources if len(group) == 1]
    known = taxonomy is not None and key in taxonomy.hypernyms
    is_only_a_name = all(label.id is None and label.name == key for group in sources for label in group)
    name = key if key in alone else alone[0] if alone else taxonomy.name(key) if taxonomy else key
    return Label(name, None if is_only_a_name and not known else key)


def _changes(side: Classifier) -> dict[str, Any]:
    if not isinstance(side, Aligned):
        return {"left_out": [], "added_up": {}}
    old = side.inner.labels
    added = {
        side.labels[new].name: [old[i].name for i, place in enumerate(side.places) if place == new]
        for new in range(len(side.labels))
        if side.places.count(new) > 1
    }
    return {"left_out": [label.name for label, place in zip(old, side.places, strict=True) if place is None], "added_up": added}
