"""Filters as a user writes them: order=forward, divergence_end>=2, survives_storage=true."""

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
    """Whether a sample's flat columns pass all filters; a value that is not known passes none.

    Raises:
        UnknownName, SpecError: a text is no filter, or its column or value does not fit.
    """
    filters = [_filter(text, columns) for text in texts]
    return lambda sample: all(found(sample) for found in filters)


def _filter(text: str, columns: Mapping[str, Column]) -> Filter:
    match = WRITTEN.fullmatch(text)
    if not match:
        raise SpecError(
            f"{text!r} was given as a filter; COLUMN=VALUE was expected, or one of {' '.join(OPERATORS)}, for example "
            "order=forward or 'divergence_end>=2' (in quotes: a shell takes < and > for itself)."
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
        raise SpecError(f"{text!r} was given as a filter, but {name} is {expected}, and {written!r} is not.") from None
