"""Reads people's answers: from CSV, JSON, Parquet, sorted folders, an export of Label Studio, or the folder of another verdict."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gevaldi.errors import DataError
from gevaldi.storage import local_path
from gevaldi.verdicts.answers import FILE, Answer, Answers

PICTURES = ("picture", "id", "image", "file", "filename", "file_name", "path", "name")
CLASSES = ("class", "label", "answer", "truth", "target", "choice")
PEOPLE = ("person", "annotator", "labeller", "labeler", "user", "completed_by", "annotator_id")
TIMES = ("time", "created_at", "timestamp", "date")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def read_answers(path: str | Path) -> list[Answer]:
    """The answers in a file or folder; rows without an answer are skipped.

    A table has a column of pictures (picture, id, image, file, path ...) and one of classes (class, label, answer ...), and may
    have a person and a time. A folder has one sub-folder per class, with its pictures; or it is the folder of another verdict.
    A JSON file is a mapping from pictures to classes, a list of rows, or an export of Label Studio.

    Raises:
        DataError: it cannot be read, has none of these forms, or gives a picture two answers by the same person.
    """
    file = local_path(str(path))
    if not file.exists():
        raise DataError(f"There is no file or folder of labels at {file}.")
    try:
        answers = [_named(row, str(path)) for row in _rows(file) if row[1].strip()]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} cannot be read as labels: {error}") from None
    return refuse_two_answers(answers, str(file))


def _named(row: tuple[str, str, str, str], source: str) -> Answer:
    picture, answer, person, time = row
    return Answer(picture, answer.strip(), person, time, source)


def refuse_two_answers(answers: Sequence[Answer], source: str) -> list[Answer]:
    """Answers, each picture's once.

    Raises:
        DataError: one person gave a picture two different answers.
    """
    once: dict[tuple[str, str], Answer] = {}
    for one in answers:
        known = once.setdefault((one.picture, one.person), one)
        if known.answer != one.answer:
            who = f" by {one.person}" if one.person else ""
            raise DataError(
                f"{source} gives the picture {one.picture} two answers{who}: {known.answer} and {one.answer}. Keep one of them; "
                "nothing was taken from it. Answers of different people need a column person."
            )
    return list(once.values())


def _rows(file: Path) -> Iterator[tuple[str, str, str, str]]:
    if file.is_dir():
        return _other_verdict(file) if (file / FILE).exists() else _sorted_folder(file)
    if file.suffix == ".sqlite":
        return _other_verdict(file.parent)
    if file.suffix in (".json", ".jsonl"):
        return _json(file)
    if file.suffix in (".csv", ".tsv", ".parquet"):
        return _table(file)
    raise ValueError("its name ends in none of .csv, .tsv, .json, .jsonl, .parquet.")


def _other_verdict(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    last = {(one.picture, one.person): one for one in Answers(folder).all()}
    return ((one.picture, one.answer, one.person, one.time) for one in last.values())


def _sorted_folder(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            parts = path.relative_to(folder).parts
            if len(parts) == 1:
                raise ValueError(f"{path.name} lies in no folder of a class. Sort pictures into one folder per class.")
            yield "/".join(parts[1:]), parts[0], "", ""


def _table(file: Path) -> Iterator[tuple[str, str, str, str]]:
    import pandas as pd

    if file.suffix == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(file).to_pandas()
    else:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, sep="\t" if file.suffix == ".tsv" else ",")
    return _records(table.astype(object).where(table.notna(), "").to_dict("records"), list(map(str, table.columns)))


def _records(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    names = {column.strip().lower(): column for column in reversed(columns)}

    def column(known: Sequence[str], what: str = "") -> str | None:
        found = next((names[name] for name in known if name in names), None)
        if found is None and what:
            raise ValueError(f"it has no column of {what} ({', '.join(known)}); its columns are {', '.join(columns)}.")
        return found

    picture, answer = column(PICTURES, "pictures"), column(CLASSES, "classes")
    person, time = column(PEOPLE), column(TIMES)
    for row in records:
        yield str(row[picture]), str(row[answer]), str(row[person]) if person else "", str(row[time]) if time else ""  # type: ignore[index]


def _json(file: Path) -> Iterator[tuple[str, str, str, str]]:
    text = file.read_text(encoding="utf-8")
    content = [json.loads(line) for line in text.splitlines() if line.strip()] if file.suffix == ".jsonl" else json.loads(text)
    if isinstance(content, dict):
        return ((str(picture), str(answer), "", "") for picture, answer in content.items())
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError("it is neither a mapping from pictures to classes nor a list of rows.")
    if content and all("data" in row for row in content):
        return _label_studio(content)
    columns = list(dict.fromkeys(key for row in content for key in row))
    return _records([{key: row.get(key, "") for key in columns} for row in content], columns)


def _label_studio(tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
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
                yield picture, str(chosen[0]), str(person), str(annotation.get("created_at", ""))
