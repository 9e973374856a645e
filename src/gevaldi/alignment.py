"""Two classifiers over one set of classes, where each has its own: other orders, subsets, a class more, coarser classes.

Classes are the same if they have the same taxonomy id, or because the user says so. Names decide where both classifiers have just
the same ones, and for labels without an id beside others of which more is known; never where several labels bear one name. What one
of the two does not know is left out, and the predictions renormalised over the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.divergences.base import log_sum_exp
from gevaldi.errors import ContractError
from gevaldi.models import Classifier, Inputs, Label, Pictures
from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.keys import WORDNET, is_an_id, keys_of
from gevaldi.taxonomy.labels import Named, Said, mapping_of

Known = tuple[str | None, str | None]
"""The class of a picture, where it is known: its name and its taxonomy id."""


class Aligned(Classifier):
    """A classifier over other classes than its own: labels of one class added up, some left out, renormalised over the rest.

    Attributes:
        inner: the classifier as it was.
        places: for each of its labels the place among the new ones; None for one that is left out.
    """

    table: Tensor

    def __init__(self, inner: Classifier, places: Sequence[int | None], labels: Sequence[Label]) -> None:
        super().__init__()
        self.inner, self.places, self.labels = inner, tuple(places), tuple(labels)
        self.name, self.note, self.files, self.hears = inner.name, inner.note, inner.files, inner.hears
        self.training = inner.training
        sources: list[list[int]] = [[] for _ in labels]
        for i, place in enumerate(places):
            if place is not None:
                sources[place].append(i)
        widest, nothing = max(map(len, sources)), len(places)  # one past the last class stands for a class of probability zero
        table = torch.tensor([source + [nothing] * (widest - len(source)) for source in sources])
        self.register_buffer("table", table, persistent=False)

        self.official = self._official if inner.official else None

    def forward(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """Log p(y|x) over the new classes."""
        return self._normalised(self._gathered(self.inner(pictures)))

    def _official(self, picture: Any) -> Tensor:
        assert self.inner.official
        return self._normalised(self._gathered(self.inner.official(picture)))

    def _normalised(self, log_p: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        return log_p - log_sum_exp(log_p).unsqueeze(-1) if None in self.places else log_p

    def probability_kept(self, pictures: Pictures) -> Float[Tensor, " batch"]:
        """The probability that the classifier gives to classes that are not left out, before it is renormalised."""
        return log_sum_exp(self._gathered(self.inner(pictures))).exp()

    def _gathered(self, log_p: Float[Tensor, "batch old"]) -> Float[Tensor, "batch classes"]:
        terms = torch.nn.functional.pad(log_p, (0, 1), value=-torch.inf)[:, self.table]
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
        """As `run.json` keeps it: for each classifier its own labels, their places, which are left out and which were added up."""
        sides = {"first": self.first, "second": self.second}
        return {"how": self.how, "classes": len(self.first.labels)} | {side: _record(own) for side, own in sides.items()}


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
        first_classes: what the first one's labels are; those not mentioned keep their ids and names.
        second_classes: the same of the second.
        taxonomy: if given, classes and labels without ids may be named as it names them.

    Raises:
        ContractError: they have other classes, and nothing says which are the same.
        SpecError, TaxonomyError, UnknownName: what was said of a label fits none, or several, which are listed.
    """
    sides = [[(label.name, label.id) for label in side.labels] for side in (first, second)]
    said = mapping_of(first_classes), mapping_of(second_classes)
    told = any(entry is not None for entry in said)
    if not told and _are_same(*sides):
        return Alignment(first, second)
    if not told and not any(own for side in sides for _, own in side):
        _refuse_numbers_in_another_order(*([name for name, _ in side] for side in sides))
    if not told and taxonomy is None and not all(any(own for _, own in side) for side in sides):
        return _by_names_alone(first, second, sides)
    entries = [entry or {} for entry in said]
    keys = [keys_of(sides[i], entries[i], sides[1 - i], taxonomy, entries[1 - i]) for i in range(2)]
    return _over_common(first, second, keys, "as the user said" if told else "by id", taxonomy)


def places_of(name: str | None, own: str | None, classifier: Classifier) -> set[int]:
    """The classes of a classifier that a name and a taxonomy id stand for, also through the labels that it had before alignment."""
    found = _lookup(classifier).places(name, own)
    if isinstance(classifier, Aligned):
        old = _lookup(classifier.inner).places(name, own)
        found |= {place for i in old if (place := classifier.places[i]) is not None}
    return found


class Lookup:
    """The labels of a classifier by id and by name, of which there may be tens of thousands."""

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels = labels
        self.by_id: dict[str, set[int]] = {}
        self.by_name: dict[str, set[int]] = {}
        self.without_id: set[int] = set()
        for i, label in enumerate(labels):
            self.by_name.setdefault(label.name, set()).add(i)
            (self.by_id.setdefault(label.id, set()) if label.id else self.without_id).add(i)

    def places(self, name: str | None, own: str | None) -> set[int]:
        """The labels that mean the same class as a name and an id: by id if both have one, otherwise by name."""
        named = set() if name is None else self.by_name.get(name, set())
        return self.by_id.get(own, set()) | (named & self.without_id) if own else set(named)


_lookups: WeakKeyDictionary[Classifier, Lookup] = WeakKeyDictionary()


def _lookup(classifier: Classifier) -> Lookup:
    if classifier not in _lookups or _lookups[classifier].labels is not classifier.labels:
        _lookups[classifier] = Lookup(classifier.labels)
    return _lookups[classifier]


def target_classes(known: Known, classifier: Classifier) -> set[int]:
    """The classes that a picture's class stands for; of a folder it is not known whether it bears a name, an id, or both."""
    name, own = known
    found = places_of(name, own, classifier)
    if name is None or name != own:
        return found
    ids = set(WORDNET.findall(name))
    return found | places_of(name, None, classifier) or (places_of(None, ids.pop(), classifier) if len(ids) == 1 else set())


def _are_same(first: Sequence[Named], second: Sequence[Named]) -> bool:
    return len(first) == len(second) and all(
        one[1] == other[1] if one[1] and other[1] else one[0] == other[0] for one, other in zip(first, second, strict=True)
    )


def _by_names_alone(first: Classifier, second: Classifier, sides: list[list[Named]]) -> Alignment:
    """By name where both have exactly the same; by position where no name says that the orders differ."""
    names = [[name for name, _ in side] for side in sides]
    if sorted(names[0]) == sorted(names[1]) and len(set(names[0])) == len(names[0]):
        return _over_common(first, second, [keys_of(sides[i], {}, sides[1 - i], None, {}) for i in range(2)], "by name", None)
    shared = set(names[0]) & set(names[1])
    if len(names[0]) == len(names[1]) and all(a == b or not {a, b} & shared for a, b in zip(*names, strict=True)):
        return Alignment(first, second)  # the contract warns of the other names
    counts = f"The first classifier has {len(names[0])} classes and the second {len(names[1])}"
    lone = [(side, name) for side, own in zip(("first", "second"), names, strict=True) for name in own if name not in shared]
    example = f"{lone[0][0]}_classes.{lone[0][1]}=null" if lone else "first_classes.NAME=null"
    same = f" {len(shared)} names are the same: leaving one out, as in --set {example}, matches the rest by name."
    raise ContractError(
        f"{counts}, {'in another order, ' if len(names[0]) == len(names[1]) else ''}and nothing says which are the same. Give the "
        "labels taxonomy ids, gevaldi.Label(name, id), or say what they are by first_classes and second_classes."
        + (same if shared else "")
    )


def _refuse_numbers_in_another_order(first: Sequence[str], second: Sequence[str]) -> None:
    """Refuse names that may be nothing but places, beside the same numbers in another order, as in folders sorted as text.

    Raises:
        ContractError: one side is 0 to n - 1 in order, and the other has the same numbers otherwise.
    """
    numbers = [str(i) for i in range(len(first))]
    if numbers in (first, second) and sorted(first) == sorted(second) and first != second:
        i = next(i for i, (one, other) in enumerate(zip(first, second, strict=True)) if one != other)
        raise ContractError(
            f"Class {i} is called {first[i]!r} by the first classifier and {second[i]!r} by the second, and nothing says whether "
            f"{numbers[i]!r} is a name or only the class's place. Folders sorted as text begin with 0, 1, 10: give both "
            "classifiers their names, labels=dataset.class_to_idx, or say what the first one's labels are by first_classes."
        )


def _over_common(
    first: Classifier, second: Classifier, keys: Sequence[Sequence[str | None]], how: str, taxonomy: Taxonomy | None
) -> Alignment:
    others = set(keys[1])
    common = [key for key in dict.fromkeys(keys[0]) if key is not None and key in others]
    if len(common) < 2:
        only = [
            f"the {side}'s are such as {', '.join(map(repr, [key for key in own if key][:3]))}"
            for side, own in zip(("first", "second"), keys, strict=True)
        ]
        raise ContractError(
            f"The two classifiers have {len(common)} classes in common, where two or more were expected: {'; '.join(only)}. "
            "Say which are the same by first_classes and second_classes, or give the labels ids of one taxonomy."
        )
    sources = [_by_key(side.labels, own) for side, own in zip((first, second), keys, strict=True)]
    labels = [_label(key, [side[key] for side in sources], taxonomy) for key in common]
    places = {key: i for i, key in enumerate(common)}
    sides = [
        Aligned(side, [places.get(key) if key is not None else None for key in own], labels)
        for side, own in zip((first, second), keys, strict=True)
    ]
    return Alignment(sides[0], sides[1], how)


def _by_key(labels: Sequence[Label], keys: Sequence[str | None]) -> dict[str | None, list[Label]]:
    """The labels of every key."""
    found: dict[str | None, list[Label]] = {}
    for label, key in zip(labels, keys, strict=True):
        found.setdefault(key, []).append(label)
    return found


def _label(key: str, sources: Sequence[Sequence[Label]], taxonomy: Taxonomy | None) -> Label:
    """A common class: with a key that is an id, called as the first label that alone makes it up; otherwise called by its key."""
    alone = [group[0].name for group in sources if len(group) == 1]
    if not is_an_id(key, [(label.name, label.id) for group in sources for label in group], taxonomy):
        return Label(key)
    return Label(alone[0] if alone else taxonomy.name(key) if taxonomy else key, key)


def _record(side: Classifier) -> dict[str, Any]:
    """What became of a classifier's own labels; without `labels` and `places` where nothing did."""
    if not isinstance(side, Aligned):
        return {"left_out": [], "added_up": {}, "labels": None, "places": None}
    old = side.inner.labels
    sources: dict[int, list[str]] = {}
    for label, place in zip(old, side.places, strict=True):
        if place is not None:
            sources.setdefault(place, []).append(label.name)
    return {
        "left_out": [label.name for label, place in zip(old, side.places, strict=True) if place is None],
        "added_up": {side.labels[new].name: names for new, names in sorted(sources.items()) if len(names) > 1},
        "labels": [{"name": label.name, "id": label.id} for label in old],
        "places": list(side.places),
    }
