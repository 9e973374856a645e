"""Real pictures in Parquet files."""

from typing import TYPE_CHECKING

from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures


class Parquet:
    """Pictures in a Parquet file, or in all of a folder: `parquet:FILE_OR_FOLDER`, as `datasets` and others write them.

    A column holds encoded pictures, as bytes or as a struct of bytes and path; another one their classes, by name or by a number
    whose name the file has. `image=COLUMN` and `label=COLUMN` say which, where it is not apparent, and `classes=FILE` names the
    numbers in order. A picture's id is in a column such as `id` or `file_name`, or else its number.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, image: str = "", label: str = "", classes: str = "") -> "RealPictures":
        """All pictures, in the order of the files and their rows; a group of rows is read when one of it is used.

        Raises:
            DataError: there is no such file, it is damaged, or holds no pictures.
        """
        from gevaldi.pictures._parquet import read_parquet

        return read_parquet(local_path(name), image, label, classes)
