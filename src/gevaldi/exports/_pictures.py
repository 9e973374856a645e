"""Pictures and sounds as files."""

from gevaldi.exports.base import Export, Picture


def write_picture(picture: Picture, about: Export, folder: str) -> str:
    """Write a picture into a folder of the export; its path there, with slashes on every system."""
    return _write(about, folder, picture.name, picture.png)


def write_sound(picture: Picture, about: Export, folder: str) -> str:
    """The same for the sound of a picture."""
    return _write(about, folder, picture.name_of_sound, picture.sound)


def _write(about: Export, folder: str, name: str, content: bytes) -> str:
    (about.folder / folder).mkdir(exist_ok=True)
    (about.folder / folder / name).write_bytes(content)
    return f"{folder}/{name}"
