"""Pictures as files."""

from gevaldi.exports.base import Export, Picture


def write_picture(picture: Picture, about: Export, folder: str) -> str:
    """Write a picture into a folder of the export; its path there, with slashes on every system."""
    (about.folder / folder).mkdir(exist_ok=True)
    (about.folder / folder / picture.name).write_bytes(picture.png)
    return f"{folder}/{picture.name}"
