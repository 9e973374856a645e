"""Names of classes and of runs as names of folders: every file system takes them, and no two are the same."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from gevaldi.errors import SpecError
from gevaldi.tables import FORMULA

LONGEST = 80  # bytes of a folder's name, of 255 that file systems take, so that a path of several still fits
LONGEST_PART, BYTES_OF_PART = 40, 60  # letters and bytes of a name that is one of several in a folder's

FORBIDDEN = '/\\:*?"<>|%#'
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}  # by Windows


def check_folder_names(what: str, names: Iterable[str], beside: Sequence[str] = ()) -> None:
    """Refuse names that a file system, a link or a spreadsheet could take for more than the name of one folder.

    Args:
        what: bears the names, in a word.
        names: of folders that lie together.
        beside: names of files that lie there too.

    Raises:
        SpecError: one has to be called otherwise; the message says how.
    """
    known = folder_names([*beside, *names])
    for name in names:
        if known[name] != name:
            raise SpecError(
                f"The {what} {name[:LONGEST]!r} has a folder of its name, and no folder can be called so everywhere. Call it "
                f"{known[name]!r}, for example: letters, digits, spaces, - and _ are good, at most {LONGEST} bytes, and no two "
                "names that differ only by case."
            )


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """A folder's name for each class; where two would be the same but for their case, the later ones are numbered."""
    taken: set[str] = set()
    numbers: Counter[str] = Counter()
    found = {}
    for name in classes:
        unique = clean = clean_name(name)
        while unique.casefold() in taken:
            numbers[clean.casefold()] += 1
            unique = f"{clean}-{1 + numbers[clean.casefold()]}"
        taken.add(unique.casefold())
        found[name] = unique
    return found


def clean_name(name: str) -> str:
    """A name without what a file system, a shell, a spreadsheet or a reader of folders could take for something else."""
    kept = "".join("-" if c in FORBIDDEN else c for c in visible(unicodedata.normalize("NFC", name)))
    begun = kept.lstrip("._ " + FORMULA)  # hidden or private if it began with . or __
    return avoid_reserved(begun.encode()[:LONGEST].decode(errors="ignore").rstrip(". ")) or "unnamed"


def in_path(name: str) -> str:
    """A name as one of several parts of a folder's: letters, digits and -_. of it."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip("-.")
    return kept[:LONGEST_PART].encode()[:BYTES_OF_PART].decode(errors="ignore") or "model"


def avoid_reserved(name: str) -> str:
    """A name that Windows does not keep for itself, with or without an ending: con.txt as con-.txt."""
    base, dot, ending = name.partition(".")
    return f"{base}-{dot}{ending}" if base.strip().casefold() in RESERVED else name


def visible(name: str) -> str:
    """A name on one line, without control and direction marks."""
    unseen = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return " ".join("".join(" " if unicodedata.category(c) in unseen else c for c in name).split())
