"""Real pictures in a folder."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from gevaldi.errors import DataError
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.pictures._layout import Paths
    from gevaldi.pictures.base import RealPictures

WAYS = ("auto", "folders", "names", "none")


class Folder:
    """Pictures in a folder: `folder:path/to/pictures`; sub-folders name their classes, or a WordNet id in the file's name does.

    PNG, JPEG, WebP and BMP, by their content and their names, of at most 67 million pixels each. A class is a folder directly below
    with all that lies in it, as for torchvision's ImageFolder; splits (`train`, `val`) and folders called `images` are refused.
    `classes=labels.csv` takes the classes from a list with a line for each picture, `classes=names` from WordNet ids in the names
    of files, `classes=folders` from folders whatever they are called; `classes=none` has none. What begins with a dot is skipped.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, classes: str = "auto") -> "RealPictures":
        """All pictures of the folder, in the order of their paths; each is read when it is used.

        Raises:
            DataError: there is no such folder, no picture in it, or what names their classes is not clear.
        """
        from gevaldi.pictures._layout import files_in
        from gevaldi.pictures.base import Files, RealPictures

        root = local_path(name)
        paths = files_in(root)
        return RealPictures(Files(paths), classes_of(root, paths, classes), paths.names)


def classes_of(root: Path, paths: "Paths", said: str) -> list[str | None]:
    """The class of each file, from where the option says.

    Raises:
        DataError: what names the classes is not clear.
    """
    from gevaldi.pictures._layout import folder_classes, refuse_what_names_no_class
    from gevaldi.pictures._lists import classes_in_list, list_beside

    if said not in WAYS:
        inside = root / said
        return classes_in_list(inside if inside.is_file() else local_path(said), root, paths)
    if said == "folders":
        return folder_classes(paths)
    if said == "auto":
        try:
            refuse_what_names_no_class(paths)
        except DataError as error:
            beside = list_beside(root, paths)
            raise (
                DataError(f"{error} Of lists, {beside.name} names the pictures: classes={beside.name}.") if beside else error
            ) from None
    folders: list[str | None] = folder_classes(paths) if said == "auto" else [None] * len(paths)
    found = folders if said == "none" else [shown or _wordnet_id(name) for name, shown in zip(paths.names, folders, strict=True)]
    beside = list_beside(root, paths) if said == "auto" and not any(found) else None
    if beside:
        raise DataError(
            f"Only {beside.name} says the classes of the pictures in {root}. Say classes={beside.name} to take them from there, or "
            "classes=none to have none."
        )
    return found


def _wordnet_id(name: str) -> str | None:
    from gevaldi.taxonomy.keys import WORDNET

    found = WORDNET.search(PurePosixPath(name).stem)
    return found[0] if found else None
