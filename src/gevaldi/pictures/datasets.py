"""Real pictures in data sets of Hugging Face."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures


class Datasets:
    """Pictures in a data set of Hugging Face, from the hub or a folder: `datasets:ID,split=test`.

    A folder is one that `save_to_disk` wrote, or holds Parquet files. `image=COLUMN` and `label=COLUMN` say which columns hold the
    pictures and their classes, `config=NAME` and `revision=` which of several versions of the data is meant.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self, name: str, /, *, split: str = "test", image: str = "", label: str = "", config: str = "", revision: str = ""
    ) -> "RealPictures":
        """All pictures of a split; each is read when it is used.

        Raises:
            MissingExtra: the package `datasets` is not installed.
            DataError: there is no such data set or split, the hub does not answer, or there are no pictures.
        """
        from gevaldi.pictures._datasets import read_dataset

        return read_dataset(name, split, image, label, config or None, revision or None)
