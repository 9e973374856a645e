"""The classes of a classifier, from whatever form a user has them in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypeAlias

from gevaldi.errors import ContractError, SpecError

WNID = re.compile(r"n\d{8}")  # a WordNet id, as ImageNet's classes have it
FORMS = (
    "Labels are a number of classes, a list of names in the order of the outputs, or a mapping that has the index of the output: "
    "dataset.class_to_idx (name to index) or config.id2label (index to name)"
)


@dataclass(frozen=True)
class Label:
    """A class of a classifier: its name, and its id in a taxonomy (a WordNet id, for ImageNet) where it has one."""

    name: str
    id: str | None = None

    def __post_init__(self) -> None:
        """Refuse half letters.

        Raises:
            ContractError: the name or the id holds a surrogate, which no file can.
        """
        for text in (self.name, self.id or ""):
            if re.search("[\ud800-\udfff]", text):
                raise ContractError(f"A class is called {text!r}, with half of a letter (a surrogate), which no file can hold.")


Labels: TypeAlias = Any
"""What a user has: a number of classes, names or `Label`s in the order of the outputs, or a mapping of names and indices."""


def labels_of(labels: Any) -> tuple[Label, ...]:
    """One label an output, from what a user has.

    A number n stands for the names 0 to n - 1. Names and `Label`s come in the order of the outputs: in a list, a tuple, a range or
    an array of NumPy. A name may be a whole number, several synonyms, or a pair (WordNet id, name). A mapping leads from names to
    indices of outputs or from indices to names; its own order does not matter.

    Raises:
        SpecError: labels are of another form, have no order, or a mapping does not name every output once.
    """
    labels = labels.tolist() if hasattr(labels, "tolist") and hasattr(labels, "ndim") and not hasattr(labels, "to_dict") else labels
    if (count := _whole(labels)) is not None:
        if count < 0:
            raise SpecError(f"labels={count} was given; a number of classes was expected.")
        return tuple(Label(str(i)) for i in range(count))
    if isinstance(labels, Mapping):
        return tuple(map(_label, _in_order(labels)))
    if isinstance(labels, Sequence) and not isinstance(labels, str | bytes):
        return tuple(map(_label, labels))
    why = ", which has no order" if isinstance(labels, set | frozenset) else ""
    raise SpecError(f"labels={_short(labels)} was given, of type {type(labels).__name__}{why}. {FORMS}.")


def _label(name: Any) -> Label:
    """The label of one class."""
    if isinstance(name, Label):
        return name
    if isinstance(name, str):
        return Label(str(name))
    if (number := _whole(name)) is not None:
        return Label(str(number))
    if isinstance(name, list | tuple) and name and all(isinstance(part, str) for part in name):
        if len(name) == 2 and WNID.fullmatch(name[0]):
            return Label(name[1], name[0])
        return Label(", ".join(name))
    raise SpecError(f"A class is called {_short(name)}, of type {type(name).__name__}; a name as text was expected. {FORMS}.")


def _in_order(labels: Mapping[Any, Any]) -> list[Any]:
    """The names of a mapping in the order of the outputs, whichever of its sides has the indices."""
    by_key, by_value = _by_index(labels.keys(), labels.values()), _by_index(labels.values(), labels.keys())
    if numbered(labels.keys()) != numbered(labels.values()):  # numbers are indices where the other side is text
        by_key, by_value = (by_key, None) if numbered(labels.keys()) else (None, by_value)
    if by_key and by_value and list(map(_label, by_key)) != list(map(_label, by_value)):
        example = next(iter(labels.items()))
        raise SpecError(
            f"labels is a mapping such as {example[0]!r}: {example[1]!r}, of which either side could be the index of the output. "
            "Give a list of names in the order of the outputs."
        )
    found = by_key or by_value
    if not found:
        raise SpecError(f"labels is a mapping that does not give every output from 0 on one name{_why(labels)}. {FORMS}.")
    return found


def numbered(values: Any) -> bool:
    """Whether all are whole numbers, and none is text."""
    return all(_whole(value) is not None for value in values)


def _by_index(indices: Any, names: Any) -> list[Any] | None:
    """The names in the order of their indices, where these are 0 to n - 1 once each."""
    found = dict(zip(map(_index, indices), names, strict=True))
    return [found[i] for i in range(len(found))] if found.keys() == set(range(len(names))) else None


def _why(labels: Mapping[Any, Any]) -> str:
    """Which index is missing or stands twice, where one side has indices."""
    for side in ([_index(value) for value in labels.values()], [_index(key) for key in labels]):
        if side and None not in side:
            missing = next(i for i in range(len(side) + 1) if i not in side)
            twice = next((i for i in side if side.count(i) > 1), None)
            return f": index {missing} is missing" if twice is None else f": index {twice} stands there twice"
    return ""


def _whole(value: Any) -> int | None:
    """A whole number of Python, NumPy or torch as one of Python; None for everything else, as for True."""
    try:
        return None if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_") else index(value)
    except TypeError:
        return None


def _index(value: Any) -> int | None:
    """A whole number from 0, also as digits."""
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10 else _whole(value)
    return number if number is not None and number >= 0 else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
