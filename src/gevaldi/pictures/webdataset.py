"""Real pictures in shards of WebDataset."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures


class Webdataset:
    """Pictures in the tar files of WebDataset: `webdataset:shard-{000000..000099}.tar`, or a folder of them.

    Of members with one key, such as `0001.jpg` and `0001.cls`, one is the picture and `.cls` or `.cls.txt` its class: a name, or a
    number that `classes=FILE` names. A picture's id is its key, with its shard before it where keys are not unique.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, *, classes: str = "") -> "RealPictures":
        """All pictures, in the order of the shards and their members; each is read when it is used.

        Raises:
            DataError: a shard is missing, damaged or compressed, or none has a picture.
        """
        from gevaldi.pictures._shards import read_shards

        return read_shards(name, classes)
