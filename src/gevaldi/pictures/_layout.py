"""Which files of a folder are pictures, and which folders name their classes: as torchvision's ImageFolder reads it, or refused."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from gevaldi.errors import DataError
from gevaldi.storage import reason

SUFFIXES = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp"}
NOT_READ = {".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".heic", ".heif", ".avif", ".jxl", ".tga", ".dng"}
SKIPPED = {"__MACOSX", "@eaDir", "lost+found"}  # of a Mac's archives, a Synology and a Linux disk; and what begins with a dot
SPLITS = {
    **dict.fromkeys(("train", "training", "trainset", "train_images", "train_set"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "valset", "val_images", "val_set", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "testset", "test_images", "test_set", "eval", "evaluation", "holdout"), "test"),
}
CONTAINERS = {
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "photo",
    "photos",
    "jpegimages",
    "jpegs",
    "jpg",
    "png",
    "data",
    "raw",
}
REMEDY = "To take the folders for classes all the same, say classes=folders; to have no classes, classes=none."


def pictures_in(root: Path) -> list[Path]:
    """All pictures of a folder, in the order of their paths, also behind links; what begins with a dot is skipped.

    Raises:
        DataError: there are none, some are of a format that is not read, or a folder cannot be listed.
    """
    files = [Path(path) for path in _files(str(root), frozenset())] if root.is_dir() else []
    paths = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    others = sorted(path for path in files if path.suffix.lower() in NOT_READ)
    looked_for = f"looked for {', '.join(sorted(SUFFIXES))}, also in its sub-folders"
    if others:
        raise DataError(
            f"{len(others):,} of the pictures in {root} are of formats that are not read, such as {others[0]} ({looked_for}). "
            "Convert or remove them, so that the others are not taken for the whole."
        )
    if not paths:
        endings = sorted({path.suffix or "no ending" for path in files})
        holds = (
            f"It holds files with {', '.join(endings[:5])}."
            if files
            else "It holds no files."
            if root.is_dir()
            else "It is no folder."
        )
        raise DataError(f"There are no pictures in {root} ({looked_for}). {holds}")
    return paths


def _files(folder: str, above: frozenset[str]) -> Iterator[str]:
    """The files below a folder; a link to a folder that it lies in is not followed, as it has no end."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in SKIPPED]
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be listed: {reason(error)}.") from None
    for entry in found:
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            yield from _files(entry.path, above | {real})
        else:
            yield entry.path


def folder_classes(root: Path, paths: Sequence[Path]) -> list[str | None]:
    """The class of each picture: the folder directly below the root that holds it, at any depth, as in torchvision's ImageFolder.

    Pictures in the root itself have none.
    """
    parts = [path.relative_to(root).parts for path in paths]
    return [unicodedata.normalize("NFC", own[0]) if len(own) > 1 else None for own in parts]


def refuse_what_names_no_class(root: Path, paths: Sequence[Path]) -> None:
    """Refuse folders that are no classes: splits, folders with a name such as `images`, and one folder around all others.

    Raises:
        DataError: they are none, as far as their names and places tell; the message says what to name.
    """
    parts = [path.relative_to(root).parts for path in paths]
    tops = sorted({own[0] for own in parts if len(own) > 1})
    problem = _splits(root, parts, tops) or _container(root, tops) or _around(root, parts)
    if problem:
        raise DataError(f"{problem} {REMEDY}")


def _splits(root: Path, parts: Sequence[tuple[str, ...]], tops: Sequence[str]) -> str:
    found = [top for top in tops if top.lower() in SPLITS]
    if found and (len(found) == len(tops) or len({SPLITS[top.lower()] for top in found}) > 1):
        return f"The folders in {root} are splits, not classes: {_some(found)}. Name one of them: folder:{root / found[-1]}."
    inner = {own[1] for own in parts if len(own) > 2}
    kinds = {SPLITS.get(name.lower()) for name in inner}
    if len(kinds) < 2 or None in kinds or any(len(own) < 3 for own in parts):
        return ""
    return (
        f"Each class in {root} has splits of its own ({_some(sorted(inner))}), which would be mixed. Copy or link the pictures of "
        "one split into a folder for each class."
    )


def _container(root: Path, tops: Sequence[str]) -> str:
    found = next((top for top in tops if top.lower() in CONTAINERS), None)
    if found is None:
        return ""
    return (
        f"The folder {found} in {root} would be a class, but its name says that it only holds pictures. Name the folder that "
        f"holds the classes: folder:{root / found}. If a list says the classes, name it: classes=FILE."
    )


def _around(root: Path, parts: Sequence[tuple[str, ...]]) -> str:
    folders = {Path(*own[:-1]) for own in parts}
    around = Path(os.path.commonpath(folders))
    if not around.parts or around in folders:
        return ""
    return (
        f"All pictures in {root} lie in folders of {around}, so that {around.parts[0]} would be their only class. Name that "
        f"folder: folder:{root / around}."
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
