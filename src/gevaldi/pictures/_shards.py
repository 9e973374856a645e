"""An index of the pictures in tar files, and the pictures by place."""

import re
import tarfile
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

from gevaldi.errors import DataError
from gevaldi.label_files import read_labels
from gevaldi.pictures._layout import PICTURES
from gevaldi.pictures.base import Encoded, RealPictures
from gevaldi.storage import local_path, reason

NAME = re.compile(r"((?:.*/)?[^/.]+)\.([^/]*)")  # the key of a member and the kind of its content
RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
CLASSES = ("cls", "cls.txt")
MOST_SHARDS, LONGEST_CLASS = 100_000, 1000


class ShardPictures(Encoded):
    """Pictures in tar files: for each its shard, and where its bytes lie there."""

    def __init__(self, shards: Sequence[Path], keys: Sequence[str], where: Sequence["array[int]"]) -> None:
        self._shards, self._keys = shards, keys
        self._shard, self._begin, self._size = where

    def __len__(self) -> int:
        return len(self._keys)

    def content(self, place: int) -> bytes:
        """The bytes of a member."""
        try:
            with self.file(place).open("rb") as file:
                file.seek(self._begin[place])
                content = file.read(self._size[place])
        except OSError as error:
            raise DataError(f"{self.name(place)} cannot be read: {reason(error)}.") from None
        if len(content) < self._size[place]:
            raise DataError(f"{self.name(place)} cannot be read: the shard ends within it. Fetch the shard again.")
        return content

    def name(self, place: int) -> str:
        """The key and the shard."""
        return f"{self._keys[place]} in {self.file(place)}"

    def file(self, place: int) -> Path:
        """The shard."""
        return self._shards[self._shard[place]]

    def files(self) -> Iterable[Path]:
        """All shards."""
        return self._shards


def read_shards(text: str, classes: str) -> RealPictures:
    """The pictures of shards that a pattern or a folder names.

    Raises:
        DataError: as `Webdataset.load`.
    """
    shards = _shards(text)
    keys: list[str] = []
    found: list[str | None] = []
    where = (array("i"), array("q"), array("q"))
    for number, shard in enumerate(shards):
        pictures, told = _index(shard)
        for key, (begin, size) in pictures.items():
            keys.append(key)
            found.append(told.get(key))
            for values, value in zip(where, (number, begin, size), strict=True):
                values.append(value)
    if not keys:
        raise DataError(f"There are no pictures in {text}: looked for members ending in {', '.join(sorted(PICTURES.suffixes))}.")
    names = [label.name for label in read_labels(classes)] if classes else []
    same = {
        told: names[int(told)] if told.isdecimal() and int(told) < len(names) else told for told in set(found) if told is not None
    }
    unique = len(set(keys)) == len(keys)
    ids = keys if unique else [f"{shards[k].stem}/{key}" for k, key in zip(where[0], keys, strict=True)]
    return RealPictures(ShardPictures(shards, keys, where), [None if told is None else same[told] for told in found], ids)


def _shards(text: str) -> list[Path]:
    """The tar files of a folder, or of a pattern such as shard-{000000..000099}.tar."""
    span = RANGE.search(text)
    if span:
        first, last = int(span[1]), int(span[2])
        if not 0 <= last - first < MOST_SHARDS:
            raise DataError(f"{text} names {last - first + 1:,} shards; 1 to {MOST_SHARDS:,} were expected.")
        return [local_path(f"{text[: span.start()]}{i:0{len(span[1])}d}{text[span.end() :]}") for i in range(first, last + 1)]
    path = local_path(text)
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    if not shards:
        raise DataError(f"There are no shards in {path}; their names end in .tar.")
    return shards


def _index(shard: Path) -> tuple[dict[str, tuple[int, int]], dict[str, str]]:
    """Where each picture of a shard lies, and the class of each, by key.

    Raises:
        DataError: it cannot be read, or a key has two pictures.
    """
    pictures: dict[str, tuple[int, int]] = {}
    classes: dict[str, str] = {}
    try:
        if not shard.is_file():
            raise FileNotFoundError(2, "there is no such file")
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                match = NAME.fullmatch(member.name.removeprefix("./")) if member.isreg() and not member.issparse() else None
                if match and match[2].lower() in CLASSES:
                    file = archive.extractfile(member)
                    classes[match[1]] = file.read(LONGEST_CLASS).decode(errors="replace").strip() if file else ""
                elif match and f".{match[2].lower()}" in PICTURES.suffixes:
                    if match[1] in pictures:
                        raise DataError(f"{shard} has two pictures with the key {match[1]}.")
                    pictures[match[1]] = member.offset_data, member.size
                archive.members = []  # type: ignore[attr-defined]  # which would grow with the shard
    except tarfile.TarError as error:
        raise DataError(
            f"{shard} cannot be read as a tar file that is not compressed: {error}. Fetch or unpack it again."
        ) from None
    except OSError as error:
        raise DataError(f"{shard} cannot be read: {reason(error)}.") from None
    return pictures, {key: told for key, told in classes.items() if told}
