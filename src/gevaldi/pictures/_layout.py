"""Which files of a folder are pictures, and which folders name their classes: as torchvision's ImageFolder reads it, or refused."""

import os
import unicodedata
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.errors import DataError
from gevaldi.storage import reason

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


@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Attributes:
        source: the source that reads it.
        words: what messages call the files.
        suffixes: of files that are read.
        not_read: of files of the same kind that are not.
    """

    source: str
    words: str
    suffixes: frozenset[str]
    not_read: frozenset[str]


PICTURES = Kind(
    "folder",
    "pictures",
    frozenset((".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp")),
    frozenset((".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".heic", ".heif", ".avif", ".jxl", ".tga", ".dng")),
)
RECORDINGS = Kind(
    "sounds",
    "recordings",
    frozenset((".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")),
    frozenset((".m4a", ".aac", ".wma", ".aif", ".aiff", ".au", ".amr", ".webm", ".mp4", ".sph", ".raw", ".pcm")),
)


class Paths(Sequence[Path]):
    """The paths of many files of a folder, kept as names: a million of them take some 100 MB."""

    def __init__(self, root: Path, names: list[str], kind: Kind = PICTURES) -> None:
        """`names` are paths from the root, apart at slashes."""
        self.root, self.names, self.kind = root, names, kind

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, place: Any) -> Any:
        return self.root / self.names[place] if isinstance(place, int) else [self.root / name for name in self.names[place]]

    def folders(self) -> set[tuple[str, ...]]:
        """The folders that hold them, each by its parts from the root."""
        return {tuple(folder.split("/")) if folder else () for folder in {name.rpartition("/")[0] for name in self.names}}


def files_in(root: Path, kind: Kind = PICTURES) -> Paths:
    """All files of a kind in a folder, in the order of their paths, also behind links; what begins with a dot is skipped.

    Raises:
        DataError: there are none, some are of a format that is not read, or a folder cannot be listed.
    """
    names: list[str] = []
    others: list[str] = []
    endings: set[str] = set()
    for path in _files(str(root), frozenset()) if root.is_dir() else ():
        suffix = os.path.splitext(path)[1].lower()
        endings.add(suffix)
        if suffix in kind.suffixes:
            names.append(os.path.relpath(path, root) if os.sep != "/" else path[len(str(root)) :].lstrip("/"))
        elif suffix in kind.not_read:
            others.append(path)
    looked_for = f"looked for {', '.join(sorted(kind.suffixes))}, also in its sub-folders"
    if others:
        raise DataError(
            f"{len(others):,} of the {kind.words} in {root} are of formats that are not read, such as {min(others)} "
            f"({looked_for}). Convert or remove them, so that the others are not taken for the whole."
        )
    if not names:
        kinds = ", ".join(sorted(suffix or "no ending" for suffix in endings)[:5])
        holds = f"It holds files with {kinds}." if endings else "It holds no files." if root.is_dir() else "It is no folder."
        raise DataError(f"There are no {kind.words} in {root} ({looked_for}). {holds}")
    names = [name.replace(os.sep, "/") for name in names] if os.sep != "/" else names
    names.sort(key=lambda name: name.replace("/", "\0"))  # as paths are sorted: folder by folder
    return Paths(root, names, kind)


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


def folder_classes(paths: Paths) -> list[str | None]:
    """The class of each picture: the folder directly below the root that holds it, at any depth, as in torchvision's ImageFolder.

    Pictures in the root itself have none.
    """
    tops = {folder[0]: unicodedata.normalize("NFC", folder[0]) for folder in paths.folders() if folder}
    return [tops[name.partition("/")[0]] if "/" in name else None for name in paths.names]


def refuse_what_names_no_class(paths: Paths) -> None:
    """Refuse folders that are no classes: splits, folders with a name such as `images`, and one folder around all others.

    Raises:
        DataError: they are none, as far as their names and places tell; the message says what to name.
    """
    root, folders, kind = paths.root, paths.folders(), paths.kind
    tops = sorted({folder[0] for folder in folders if folder})
    problem = _splits(root, folders, tops, kind) or _container(root, tops, kind) or _around(root, folders, kind)
    if problem:
        raise DataError(f"{problem} {REMEDY}")


def _splits(root: Path, folders: Set[tuple[str, ...]], tops: Sequence[str], kind: Kind) -> str:
    found = [top for top in tops if top.lower() in SPLITS]
    if found and (len(found) == len(tops) or len({SPLITS[top.lower()] for top in found}) > 1):
        return f"The folders in {root} are splits, not classes: {_some(found)}. Name one of them: {kind.source}:{root / found[-1]}."
    inner = {folder[1] for folder in folders if len(folder) > 1}
    kinds = {SPLITS.get(name.lower()) for name in inner}
    if len(kinds) < 2 or None in kinds or any(len(folder) < 2 for folder in folders):
        return ""
    return (
        f"Each class in {root} has splits of its own ({_some(sorted(inner))}), which would be mixed. Copy or link the "
        f"{kind.words} of one split into a folder for each class."
    )


def _container(root: Path, tops: Sequence[str], kind: Kind) -> str:
    found = next((top for top in tops if top.lower() in CONTAINERS), None)
    if found is None:
        return ""
    return (
        f"The folder {found} in {root} would be a class, but its name says that it only holds {kind.words}. Name the folder that "
        f"holds the classes: {kind.source}:{root / found}. If a list says the classes, name it: classes=FILE."
    )


def _around(root: Path, parts: Set[tuple[str, ...]], kind: Kind) -> str:
    folders = {Path(*own) for own in parts}
    around = Path(os.path.commonpath(folders))
    if not around.parts or around in folders:
        return ""
    return (
        f"All {kind.words} in {root} lie in folders of {around}, so that {around.parts[0]} would be their only class. Name that "
        f"folder: {kind.source}:{root / around}."
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
