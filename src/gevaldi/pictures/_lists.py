"""The classes of pictures in a list: a CSV, TSV or text file with a line for each picture."""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from gevaldi.documents import TextFile
from gevaldi.errors import DataError
from gevaldi.pictures._layout import PICTURES, RECORDINGS

LIST = TextFile("The list of classes", DataError, "A line for each picture was expected, with its file and its class.")
SUFFIXES = {".csv", ".tsv", ".txt", ".json"}
HEADS = (
    *("wnid", "synset", "class_name", "classname", "label_name", "category", "class", "label", "target", "class_id", "label_id"),
    "predictionstring",  # of Kaggle's ImageNet: a WordNet id and a box
)
HINTED = 10  # lists of a folder that are looked into, so that they can be named


def classes_in_list(path: Path, root: Path, paths: Sequence[Path]) -> list[str | None]:
    """The class of each picture by a list; None for those that it does not name.

    Pictures are named by path from the root or by file, with or without its ending.

    Raises:
        DataError: the file cannot be read, names none of the pictures, says two things of one, or has no column of classes.
    """
    rows = _rows(path)
    column, keys = _column_of_files(path, root, paths, rows)
    inside = [row for row in rows if len(row) > column and _plain(row[column]) in keys]
    place = _column_of_classes(path, rows, inside, column)
    found: dict[Path, str] = {}
    for row in inside:
        shown = _class_in(row[place]) if len(row) > place else ""
        picture = keys[_plain(row[column])]
        if found.setdefault(picture, shown) != shown:
            raise DataError(f"The list of classes {path} says two things of {picture}: {found[picture]} and {shown}. Say one.")
    return [found.get(one) or None for one in paths]


def _class_in(cell: str) -> str:
    """A class as a cell names it: of a WordNet id and a box the id."""
    name = unicodedata.normalize("NFC", cell.strip())
    boxed = re.match(r"(n\d{8})(?: \d+){4}", name)
    return boxed[1] if boxed else name


def list_beside(root: Path, paths: Sequence[Path]) -> Path | None:
    """A list in the root that names at least half of the pictures; None where there is none."""
    lists = sorted(
        one for one in root.iterdir() if one.suffix.lower() in SUFFIXES and one.is_file() and not one.name.startswith(".")
    )
    for path in lists[:HINTED]:
        try:
            column, keys = _column_of_files(path, root, paths, rows := _rows(path))
        except DataError:
            continue
        named = {keys[_plain(row[column])] for row in rows if len(row) > column and _plain(row[column]) in keys}
        if 2 * len(named) >= len(paths) and min(map(len, rows)) > 1:
            return path
    return None


def _rows(path: Path) -> list[list[str]]:
    """The cells of each line, apart at tabs, semicolons, commas or spaces: whichever of them, in this order, the first line has.

    Of JSON, a mapping from pictures to classes.
    """
    if path.suffix.lower() == ".json":
        values = LIST.values(path)
        pairs = values.items() if isinstance(values, dict) else ()
        return [[str(key), str(value)] for key, value in pairs if not isinstance(value, dict | list | None)]
    text = LIST.text(path)
    first = text.strip("\r\n").partition("\n")[0]
    separator = next((mark for mark in "\t;," if mark in first), None)
    if separator is None:
        rows = [line.split(maxsplit=1) for line in text.splitlines()]
    else:
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        except csv.Error as error:
            raise DataError(f"The list of classes {path} is not valid CSV: {error}.") from None
    return [row for row in rows if any(cell.strip() for cell in row)]


def _column_of_files(path: Path, root: Path, paths: Sequence[Path], rows: Sequence[Sequence[str]]) -> tuple[int, dict[str, Path]]:
    """The column that names most pictures, and what each of its names stands for."""
    best: tuple[int, int, dict[str, Path]] = (0, 0, {})
    for keys in _names_of(root, paths):
        for column in range(max(map(len, rows), default=0)):
            count = len({key for row in rows if len(row) > column and (key := _plain(row[column])) in keys})
            if count > best[0]:
                best = count, column, keys
    if not best[0]:
        raise DataError(
            f"The list of classes {path} names none of the {len(paths):,} pictures in {root}: it has lines such as "
            f"{str(rows[-1] if rows else '')[:200]}, and a picture is {paths[0].relative_to(root)}. Name the pictures by their "
            "paths in the folder."
        )
    return best[1], best[2]


def _names_of(root: Path, paths: Sequence[Path]) -> list[dict[str, Path]]:
    """What pictures may be called: by path from the root or by file, with or without its ending; only names of one picture."""
    inside = [one.relative_to(root) for one in paths]
    forms: list[list[str]] = [
        [str(one) for one in inside],
        [str(root.name / one) for one in inside],
        [str(one.with_suffix("")) for one in inside],
        [one.name for one in inside],
        [one.stem for one in inside],
    ]
    tables = [dict(zip(map(_plain, form), paths, strict=True)) for form in forms]
    return [table for table in tables if len(table) == len(paths)]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip().replace("\\", "/").removeprefix("./"))


def _column_of_classes(path: Path, rows: Sequence[Sequence[str]], inside: Sequence[Sequence[str]], files: int) -> int:
    """The column of classes: by its head, or the only other one; without a head, the one after that of the pictures."""
    headless = (
        rows[0] is inside[0]
        or Path(rows[0][min(files, len(rows[0]) - 1)].strip()).suffix.lower() in PICTURES.suffixes | RECORDINGS.suffixes
    )
    width = max(map(len, inside))
    if headless and files + 1 < width:
        return files + 1
    head = [] if headless else [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
    named = [i for name in HEADS for i, cell in enumerate(head) if cell == name and i != files]
    in_words = [i for i in named if not all(row[i].strip().isdecimal() for row in inside if len(row) > i)]
    others = [i for i in range(width) if i != files]
    if named or len(others) == 1:
        return (in_words or named or others)[0]
    raise DataError(
        f"It is not apparent which column of the list {path} is the class: it has {', '.join(head) or 'one column'}. Call it "
        "label, or leave out the others."
    )
