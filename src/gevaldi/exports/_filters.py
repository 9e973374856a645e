"""Users' filters, such as order=forward, divergence_end>=2 or survives_storage=true."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gevaldi.errors import SpecError, UnknownName
from gevaldi.exports._columns import Column

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
WRITTEN = re.compile(rf"\s*(\w+)\s*({'|'.join(OPERATORS)})\s*(.*?)\s*", re.DOTALL)
OF_PICTURES = ("stage", "label")  # columns that a sample does not have

Filter = Callable[[Mapping[str, Any]], bool]


def passes(texts: Sequence[str], columns: Mapping[str, Column]) -> Filter:
    """A predicate on a sample's flat columns: true if they pass all filters; an unknown value passes none.

    Raises:
        UnknownName, SpecError: a text is not a filter, or its column or value is invalid.
    """
    filters = [_filter(text, columns) for text in texts]
    return lambda sample: all(found(sample) for found in filters)


def _filter(text: str, columns: Mapping[str, Column]) -> Filter:
    match = WRITTEN.fullmatch(text)
    if not match:
        raise SpecError(
            f"{text!r} is not a filter; expected COLUMN=VALUE, or another operator of {' '.join(OPERATORS)}, for example "
            "order=forward or 'divergence_end>=2' (in quotes, because a shell interprets < and >)."
        )
    name, sign, written = match.groups()
    if name not in columns or name in OF_PICTURES:
        raise UnknownName("column to filter by", name, [known for known in columns if known not in OF_PICTURES])
    compare, value = OPERATORS[sign], _value(text, name, written, columns[name].kind)
    return lambda sample: sample[name] is not None and compare(sample[name], value)


def _value(text: str, name: str, written: str, kind: type) -> Any:
    if kind is bool and written.lower() in ("true", "false", "yes", "no"):
        return written.lower() in ("true", "yes")
    try:
        if kind is bool:
            raise ValueError
        return kind(written)
    except ValueError:
        expected = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise SpecError(f"The filter {text!r} is invalid: {name} is {expected}, and {written!r} is not.") from None
