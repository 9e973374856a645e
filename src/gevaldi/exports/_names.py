"""Names of classes as names of folders: whatever they hold, every file system takes them, and no two are the same."""

import unicodedata
from collections.abc import Iterable

LONGEST = 80  # bytes of a folder's name, of 255 that file systems take, so that a path of several still fits

FORBIDDEN = '/\\:*?"<>|%#'
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}  # by Windows


def folder_names(classes: Iterable[str]) -> dict[str, str]:
    """A folder's name for each class; where two would be the same but for their case, the later ones are numbered."""
    taken: set[str] = set()
    found = {}
    for name in classes:
        clean, number = cleaned(name), 1
        unique = clean
        while unique.casefold() in taken:
            number += 1
            unique = f"{clean}-{number}"
        taken.add(unique.casefold())
        found[name] = unique
    return found


def cleaned(name: str) -> str:
    """A name without what a file system, a shell or a reader of folders could take for something else."""
    kept = "".join("-" if c in FORBIDDEN else c for c in visible(unicodedata.normalize("NFC", name)))
    short = (
        kept.lstrip("._- ").encode()[:LONGEST].decode(errors="ignore").rstrip(". ")
    )  # hidden or private if it began with . or __
    return f"{short}-" if short.split(".")[0].casefold() in RESERVED else short or "class"


def visible(name: str) -> str:
    """A name on one line, without control and direction marks."""
    unseen = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return " ".join("".join(" " if unicodedata.category(c) in unseen else c for c in name).split())
