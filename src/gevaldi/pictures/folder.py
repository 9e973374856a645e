"""Real pictures in a folder."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import DataError
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures

WORDNET = re.compile(r"(?<![a-z0-9])n\d{8}(?!\d)")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class Folder:
    """Pictures in a folder: `folder:path/to/pictures`; sub-folders name their classes, or a WordNet id in the file's name does.

    PNG, JPEG, WebP and BMP, by their content and their names, of at most 67 million pixels each.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /) -> "RealPictures":
        """All pictures of the folder, in the order of their paths; each is read when it is used.

        Raises:
            DataError: there is no such folder, or no picture in it.
        """
        from gevaldi.pictures.base import Files, RealPictures

        root = local_path(name)
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and not path.is_dir())
        if not paths:
            raise DataError(f"There are no pictures in {root} (looked for {', '.join(sorted(SUFFIXES))}, also in its sub-folders).")
        return RealPictures(Files(paths), [path.parent.name if path.parent != root else _wordnet_id(path) for path in paths])


def _wordnet_id(path: Path) -> str | None:
    found = WORDNET.search(path.stem)
    return found[0] if found else None
