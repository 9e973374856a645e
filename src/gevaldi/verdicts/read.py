"""Reads people's answers: from CSV, JSON, Parquet, sorted folders, an export of Label Studio, or the folder of another verdict."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gevaldi.calls import Call, construct
from gevaldi.errors import DataError, SpecError
from gevaldi.label_files import classes_of
from gevaldi.labels import Label
from gevaldi.names import plain
from gevaldi.predictions.columns import IDS, TRUTHS
from gevaldi.quoting import unquoted
from gevaldi.storage import check_regular, local_path, reason
from gevaldi.tables import is_number, separator_of, text_of
from gevaldi.verdicts.answers import FILE, Answer, read_file

PICTURES = ("picture", *IDS, "name")
CLASSES = ("class", "label", "answer", "choice", *TRUTHS)
PEOPLE = ("person", "annotator", "labeller", "labeler", "user", "completed_by", "annotator_id")
TIMES = ("time", "created_at", "timestamp", "date")
OPTIONS = {"pictures": "id", "classes": "class"}
UPLOADED = re.compile(r"^/data/upload/\d+/[0-9a-f]{8}-")  # what Label Studio puts before the names of files
LONGEST = 500  # characters of a reason
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

Columns = Mapping[str, str]  # the columns that a user names, of `OPTIONS`


def labels_named(name: str) -> tuple[str, list[Answer]]:
    """The file or folder of `FILE,KEY=VALUE`, and the answers in it; the options are those of `read_answers`.

    Raises:
        DataError, SpecError: it cannot be read, or an option is unknown.
    """
    if local_path(name).exists():  # a name may hold commas
        return name, read_answers(name)
    call = Call.parse(name.strip())
    file = unquoted(call.name)
    return file, construct(partial(read_answers, file), Call(file, call.options), "file of labels")


def read_answers(path: str | Path, /, *, id: str = "", classes: str | list[str] | None = None, **options: Any) -> list[Answer]:
    """The answers in a file or folder; rows without an answer are skipped.

    A table has a column of pictures (picture, id, image, file, path ...) and one of classes (class, label, answer ...), and may
    have a person and a time. A folder has one sub-folder per class, with its pictures; or it is the folder of another verdict.
    A JSON file is a mapping from pictures to classes, a list of rows, or an export of Label Studio.

    Args:
        path: of the file or folder.
        id: the column of pictures of a table, if it has another name.
        classes: all classes in the order of their numbers, where answers are numbers: names, `imagenet`, or a file of them.
        options: `class`, the column of classes of a table, if it has another name.

    Raises:
        DataError: it cannot be read, has none of these forms, or a number is none of a class.
        SpecError: an option is unknown.
    """
    if unknown := options.keys() - {"class"}:
        raise SpecError(f"A file of labels has no option {', '.join(sorted(unknown))}. It takes id, class and classes.")
    found = _read(path, {"pictures": id, "classes": options.get("class", "")})
    return found if classes is None else [_with_name(one, classes_of(classes), path) for one in found]


def _with_name(one: Answer, classes: Sequence[Label], path: str | Path) -> Answer:
    """An answer by the name of the class that its number stands for."""
    if not is_number(one.answer):
        return one
    place = float(one.answer)
    if place not in range(len(classes)):
        raise DataError(
            f"{path} says that {plain(one.picture)} shows class {plain(one.answer)}; classes= has {len(classes):,}, from 0 to "
            f"{len(classes) - 1:,}."
        )
    return replace(one, answer=classes[int(place)].name)


def _read(path: str | Path, columns: Columns) -> list[Answer]:
    file = local_path(str(path))
    if not file.exists():
        raise DataError(f"There is no file or folder of labels at {file}.")
    try:
        if not file.is_dir():
            check_regular(file)
        return [replace(one, source=one.source or str(path)) for one in _rows(file, columns) if one.answer]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read as labels: a part of it has another form than expected ({plain(error)}).") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read as labels: {reason(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as labels: {plain(error, LONGEST)}") from None


def _rows(file: Path, columns: Columns) -> Iterator[Answer]:
    if file.is_dir():
        return _other_verdict(file / FILE) if (file / FILE).exists() else _sorted_folder(file)
    if file.suffix == ".sqlite":
        return _other_verdict(file)
    if file.suffix in (".json", ".jsonl"):
        return _json(file, columns)
    if file.suffix in (".csv", ".tsv", ".parquet"):
        return _table(file, columns)
    raise ValueError("its name ends in none of .csv, .tsv, .json, .jsonl, .parquet.")


def _other_verdict(file: Path) -> Iterator[Answer]:
    """The last answer of everybody, as it was given there."""
    return iter({(one.picture, one.by): one for one in read_file(file)}.values())


def _sorted_folder(folder: Path) -> Iterator[Answer]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            parts = path.relative_to(folder).parts
            if len(parts) == 1:
                raise ValueError(f"{path.name} lies in no folder of a class. Sort pictures into one folder per class.")
            yield Answer("/".join(parts[1:]), parts[0])


def _table(file: Path, columns: Columns) -> Iterator[Answer]:
    import pandas as pd

    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        content = pq.ParquetFile(file).read()
        return _records(content.to_pylist(), content.column_names, columns)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        head = lines.readline()
    table = pd.read_csv(file, dtype=str, keep_default_na=False, sep=separator_of(head), encoding="utf-8-sig")
    rows = [{str(name): text_of(str(cell)) for name, cell in row.items()} for row in table.to_dict("records")]
    return _records(rows, list(map(str, table.columns)), columns)


def _records(records: Sequence[Mapping[str, Any]], names: Sequence[str], columns: Columns) -> Iterator[Answer]:
    by_name = {name.strip().lower(): name for name in reversed(names)}

    def column(known: Sequence[str], what: str = "") -> str | None:
        own = columns.get(what)
        found = next((by_name[name] for name in ([own.lower()] if own else known) if name in by_name), None)
        if found is None and what:
            raise ValueError(
                f"it has no column {own!r}; its columns are {', '.join(names)}."
                if own
                else f"it has no column of {what} ({', '.join(known)}); its columns are {', '.join(names)}. Say which it is: "
                f"{OPTIONS[what]}=COLUMN behind the file and a comma."
            )
        return found

    picture, answer = column(PICTURES, "pictures"), column(CLASSES, "classes")
    person, time = column(PEOPLE), column(TIMES)
    for row in records:
        one, said, who, when = (_text(row.get(name)) if name else "" for name in (picture, answer, person, time))
        yield Answer(one, said, who, when)


def _text(value: Any) -> str:
    """A cell as text; a missing one is empty, and a whole number has no decimals."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _json(file: Path, columns: Columns) -> Iterator[Answer]:
    text = file.read_text(encoding="utf-8")
    content = [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else json.loads(text)
    if isinstance(content, dict):
        return (Answer(picture, _text(answer)) for picture, answer in content.items())
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("it is neither a mapping from pictures to classes nor a list of rows.")
    if content and all("data" in row for row in content):
        return _label_studio(content)
    return _records(content, list(dict.fromkeys(key for row in content for key in row)), columns)


def _label_studio(tasks: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
    for task in tasks:
        data = task["data"]
        picture = next((str(data[key]) for key in PICTURES if key in data), None)
        if picture is None:
            raise ValueError(f"a task of Label Studio has none of {', '.join(PICTURES)} in its data.")
        for annotation in task.get("annotations", ()):
            chosen = [choice for result in annotation["result"] for choice in result["value"].get("choices", ())]
            if chosen and not annotation.get("was_cancelled"):
                by = annotation.get("completed_by", "")
                person = by.get("email", by.get("id", "")) if isinstance(by, dict) else by
                yield Answer(UPLOADED.sub("", picture), str(chosen[0]), str(person), str(annotation.get("created_at", "")))
