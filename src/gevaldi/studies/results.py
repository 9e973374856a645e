"""What people answered, read from rows of jsPsych's data: a CSV or JSON file of one person or of many, or posted by the page."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.documents import Malformed, TextFile, parse
from gevaldi.errors import DataError

FILE = TextFile("The results", DataError, "They should be the data of jsPsych, as CSV or JSON.")
LONGEST = 5_000  # characters of a comment
LONGEST_NAME = 200
Row = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """What one person answered to the end.

    Attributes:
        study: the identity of the study that was answered.
        person: an opaque name.
        number: decides the arm and the sides.
        choices: the places of the two choices, 0 for A and 1 for B.
        sure: how sure the person was of each, 1 to 5.
        attention: the places of the answers to the attention checks.
        looked: median milliseconds on a picture; None if unknown.
        comment: may be empty.
        reloaded: whether the page was opened again after it had shown pictures, so that the first choice is not one before them.
    """

    study: str
    person: str
    number: int
    choices: tuple[int, int]
    sure: tuple[int, int]
    attention: tuple[int, ...]
    looked: float | None = None
    comment: str = ""
    reloaded: bool = False


def read_results(path: Path) -> list[list[Row]]:
    """The sessions in a file: the rows of each person, in order.

    Raises:
        DataError: it cannot be read, or has no rows of a study.
    """
    text = FILE.text(path)
    try:
        rows = [*_rows(text)]
    except (ValueError, csv.Error) as error:
        raise DataError(f"The results {path} cannot be read: {error}. {FILE.hint}") from None
    if not (sessions := sessions_of(rows)):
        raise DataError(f"The results {path} have no rows of a study: none has study, person, number and task. {FILE.hint}")
    return sessions


def _rows(text: str) -> Iterator[Row]:
    """The rows of CSV, of JSON with any nesting of lists, or of one JSON value a line."""
    if not text.lstrip().startswith(("[", "{")):
        yield from csv.DictReader(io.StringIO(text, newline=""))
        return
    try:
        yield from _flat(parse(text, ".json"))
    except Malformed:
        for line in filter(str.strip, text.splitlines()):
            yield from _flat(parse(line, ".json"))


def _flat(value: Any) -> Iterator[Row]:
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _flat(one)


def sessions_of(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows by session: of one person, with trial numbers that only increase."""
    sessions: list[list[Row]] = []
    latest: dict[str, list[Row]] = {}
    for row in rows:
        if not all(row.get(key) not in (None, "") for key in ("study", "person", "number", "task")):
            continue
        own = latest.get(str(row["person"]))
        if own is None or _number(row.get("trial_index")) <= _number(own[-1].get("trial_index")):
            own = latest[str(row["person"])] = []
            sessions.append(own)
        own.append(row)
    return sessions


def answers_of(session: Sequence[Row], checks: Sequence[int]) -> Answers | None:
    """The answers of a session; None if it did not reach the end, or if an answer is none of the choices.

    Args:
        session: its rows.
        checks: how many choices each attention check has.
    """
    by_task: dict[str, list[Row]] = {}
    for row in session:
        by_task.setdefault(str(row["task"]), []).append(row)
    choices, sure, attention = (
        _places(by_task.get(task, []), most) for task, most in (("choice", (2, 2)), ("sure", (5, 5)), ("attention", checks))
    )
    number = _number(session[0]["number"])
    if choices is None or sure is None or attention is None or number < 0 or "comment" not in by_task:
        return None
    times = sorted(_number(row.get("rt")) for row in by_task.get("picture", []))
    return Answers(
        study=str(session[0]["study"])[:LONGEST_NAME],
        person=str(session[0]["person"])[:LONGEST_NAME],
        number=number,
        choices=(choices[0], choices[1]),
        sure=(sure[0] + 1, sure[1] + 1),
        attention=tuple(attention),
        looked=times[len(times) // 2] if times and times[0] >= 0 else None,
        comment=_comment(by_task["comment"][0].get("response")),
        reloaded=any(str(row.get("reloaded")).lower() == "true" for row in session),
    )


def _places(rows: Sequence[Row], most: Sequence[int]) -> list[int] | None:
    """The places of the pressed buttons; None if not every question has one of its own."""
    places = [_number(row.get("response")) for row in rows]
    fits = len(places) == len(most) and all(0 <= place < count for place, count in zip(places, most, strict=True))
    return places if fits else None


def _number(value: Any) -> int:
    """A whole number, also as text; -1 if it is none."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return -1


def _comment(response: Any) -> str:
    """The text of a survey, which CSV holds as JSON."""
    if isinstance(response, str):
        try:
            response = json.loads(response)
        except (ValueError, RecursionError):
            return str(response)[:LONGEST]
    return str(response.get("comment") or "")[:LONGEST] if isinstance(response, dict) else ""
