"""Which columns of a table are the pictures, and which their classes or probabilities."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from gevaldi.errors import DataError
from gevaldi.labels import Label
from gevaldi.names import plain

IDS = ("id", "picture", "image", "file", "filename", "path", "picture_id", "image_id", "file_name", "key", "__key__")
PREDICTED = ("prediction", "predicted", "pred", "predicted_class", "predicted_label", "top1")
CLASSES = ("class", "label")
CONFIDENCES = ("probability", "confidence", "score", "prob")
MATRICES = ("probabilities", "probs")
TRUTHS = ("truth", "true", "target", "ground_truth", "true_label", "true_class")
RANKED = re.compile(r"(?:top|class|label|prediction|pred)_?(\d+)(?:_?(?:class|label))?")
RANKED_CONFIDENCE = re.compile(r"(?:(?:probability|prob|p|score|confidence)_?(\d+)|top_?(\d+)_?(?:probability|prob|p|score))")
SHOWN = 12


@dataclass(frozen=True)
class Layout:
    """The columns of a table that are read.

    Attributes:
        ids: of the pictures.
        ranked: of classes, most probable first.
        confidences: of the probabilities of these, one each, or none.
        classes: of probabilities, one a class.
        matrix: of lists of probabilities.
    """

    ids: str
    ranked: tuple[str, ...] = ()
    confidences: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    matrix: str | None = None

    def numbers(self) -> tuple[str, ...]:
        """All columns of probabilities."""
        return (*self.confidences, *self.classes)


def layout_of(schema: pa.Schema, ids: str, chosen: str, classes: Sequence[Label] | None, where: str) -> Layout:
    """The columns of a table.

    Args:
        schema: of the table.
        ids: the column of pictures as the user says; empty to look for it.
        chosen: the column of classes, likewise.
        classes: the names of all classes, if the user gave them.
        where: the file, for errors.

    Raises:
        DataError: there is no such column, or it is not apparent which is which; the message says what the file holds.
    """
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{where} has two columns called {plain(twice)!r}. Rename one.")
    for option, name in (("id", ids), ("class", chosen)):
        if name and name not in schema.names:
            raise DataError(f"{where} has no column {plain(name)!r}, which {option}= names. {_holds(schema)}")
    ids = ids or ids_of(schema, where)
    lower = {name: _plain(name) for name in schema.names if name != ids}
    if chosen:
        return Layout(ids, (chosen,), _confidence(lower))
    return _ranked(schema, ids, lower) or _single(schema, ids, lower, where) or _matrix(schema, ids, lower, classes, where)


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def ids_of(schema: pa.Schema, where: str) -> str:
    """The column that names the pictures.

    Raises:
        DataError: it is not apparent which it is.
    """
    lower = {_plain(name): name for name in reversed(schema.names)}
    found = next((lower[name] for name in IDS if name in lower), None)
    if found is None and schema.names and _is_text(schema.types[0]):
        found = schema.names[0]
    if found is None:
        raise DataError(f"It is not apparent which column of {where} names the pictures. Say it: id=COLUMN. {_holds(schema)}")
    return str(found)


def _confidence(lower: dict[str, str]) -> tuple[str, ...]:
    return tuple(name for name, plain_name in lower.items() if plain_name in CONFIDENCES)[:1]


def _ranked(schema: pa.Schema, ids: str, lower: dict[str, str]) -> Layout | None:
    """Columns such as top1, top2 and probability1, probability2, if their ranks run from 1."""
    ranks, values = _by_rank(RANKED, lower), _by_rank(RANKED_CONFIDENCE, lower)
    count = len(ranks)
    if count < 2 or ranks.keys() != set(range(1, count + 1)):
        return None
    if any(pa.types.is_floating(schema.field(name).type) for name in ranks.values()):
        return None  # probabilities of classes with such names
    confidences = tuple(values[i] for i in range(1, count + 1)) if values.keys() >= ranks.keys() else ()
    return Layout(ids, tuple(ranks[i] for i in range(1, count + 1)), confidences)


def _by_rank(pattern: re.Pattern[str], lower: dict[str, str]) -> dict[int, str]:
    matches = ((name, pattern.fullmatch(plain_name)) for name, plain_name in lower.items())
    return {int(next(filter(None, match.groups()))): name for name, match in matches if match}


def _single(schema: pa.Schema, ids: str, lower: dict[str, str], where: str) -> Layout | None:
    for group in (PREDICTED, CLASSES):
        found = [name for name, plain_name in lower.items() if plain_name in group]
        if len(found) > 1:
            raise DataError(f"{where} has the columns {' and '.join(map(plain, found))}. Say which is predicted: class=COLUMN.")
        if found:
            return Layout(ids, (found[0],), _confidence(lower))
    return None


def _matrix(schema: pa.Schema, ids: str, lower: dict[str, str], classes: Sequence[Label] | None, where: str) -> Layout:
    lists = [name for name, plain_name in lower.items() if plain_name in MATRICES and _is_list(schema.field(name).type)]
    if lists:
        return Layout(ids, matrix=lists[0])
    if classes:
        columns = [next((text for text in (label.name, label.id) if text in lower), None) for label in classes]
        lost = next((label.name for label, column in zip(classes, columns, strict=True) if column is None), None)
        if lost is not None:
            raise DataError(f"{where} has neither a column of classes nor one called {plain(lost)!r}. {_holds(schema)}")
        return Layout(ids, classes=tuple(filter(None, columns)))
    numbers = [name for name, plain_name in lower.items() if plain_name not in TRUTHS and _is_number(schema.field(name).type)]
    others = [name for name, plain_name in lower.items() if plain_name not in TRUTHS and name not in numbers]
    if others or len(numbers) < 2:
        raise DataError(
            f"It is not apparent which column of {where} is the predicted class. Say it: class=COLUMN; or give one column of "
            f"probabilities for each class and no others. {_holds(schema)}"
        )
    return Layout(ids, classes=tuple(numbers))


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _holds(schema: pa.Schema) -> str:
    names = [plain(name) or '""' for name in schema.names]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"It holds the columns {', '.join(names[:SHOWN])}{more}."
