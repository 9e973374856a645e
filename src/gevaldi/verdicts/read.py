"""Reads people's answers: from CSV, JSON, Parquet, sorted folders, an export of Label Studio, or the folder of another verdict."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gevaldi.errors import DataError
from gevaldi.names import plain
from gevaldi.storage import check_regular, local_path, reason
from gevaldi.tables import separator_of, text_of
from gevaldi.verdicts.answers import FILE, Answer, read_file

PICTURES = ("picture", "id", "image", "file", "filename", "file_name", "path", "name")
CLASSES = ("class", "label", "answer", "truth", "target", "choice")
PEOPLE = ("person", "annotator", "labeller", "labeler", "user", "completed_by", "annotator_id")
TIMES = ("time", "created_at", "timestamp", "date")
UPLOADED = re.compile(r"^/data/upload/\d+/[0-9a-f]{8}-")  # what Label Studio puts before the names of files
LONGEST = 500  # characters of a reason
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_answers(path: str | Path) -> list[Answer]:
    """The answers in a file or folder; rows without an answer are skipped.

    A table has a column of pictures (picture, id, image, file, path ...) and one of classes (class, label, answer ...), and may
    have a person and a time. A folder has one sub-folder per class, with its pictures; or it is the folder of another verdict.
    A JSON file is a mapping from pictures to classes, a list of rows, or an export of Label Studio.

    Raises:
        DataError: it cannot be read, or has none of these forms.
    """
    file = local_path(str(path))
    if not file.exists():
        raise DataError(f"There is no file or folder of labels at {file}.")
    try:
        if not file.is_dir():
            check_regular(file)
        return [replace(one, source=one.source or str(path)) for one in _rows(file) if one.answer]
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise DataError(f"{file} cannot be read as labels: a part of it has another form than expected ({plain(error)}).") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read as labels: {reason(error)}.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as labels: {plain(error, LONGEST)}") from None


def _rows(file: Path) -> Iterator[Answer]:
    if file.is_dir():
        return _other_verdict(file / FILE) if (file / FILE).exists() else _sorted_folder(file)
    if file.suffix == ".sqlite":
        return _other_verdict(file)
    if file.suffix in (".json", ".jsonl"):
        return _json(file)
    if file.suffix in (".csv", ".tsv", ".parquet"):
        return _table(file)
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


def _table(file: Path) -> Iterator[Answer]:
    import pandas as pd

    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        content = pq.ParquetFile(file).read()
        return _records(content.to_pylist(), content.column_names)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        head = lines.readline()
    table = pd.read_csv(file, dtype=str, keep_default_na=False, sep=separator_of(head), encoding="utf-8-sig")
    rows = [{str(name): text_of(str(cell)) for name, cell in row.items()} for row in table.to_dict("records")]
    return _records(rows, list(map(str, table.columns)))


def _records(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[Answer]:
    names = {column.strip().lower(): column for column in reversed(columns)}

    def column(known: Sequence[str], what: str = "") -> str | None:
        found = next((names[name] for name in known if name in names), None)
        if found is None and what:
            raise ValueError(f"it has no column of {what} ({', '.join(known)}); its columns are {', '.join(columns)}.")
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


def _json(file: Path) -> Iterator[Answer]:
    text = file.read_text(encoding="utf-8")
    content = [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else json.loads(text)
    if isinstance(content, dict):
        return (Answer(picture, _text(answer)) for picture, answer in content.items())
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("it is neither a mapping from pictures to classes nor a list of rows.")
    if content and all("data" in row for row in content):
        return _label_studio(content)
    columns = list(dict.fromkeys(key for row in content for key in row))
    return _records(content, columns)


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
