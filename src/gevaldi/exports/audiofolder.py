"""Folders of classes with their sounds."""

from pathlib import Path

from gevaldi.errors import SpecError
from gevaldi.exports._metadata import write_classes
from gevaldi.exports._pictures import write_sound
from gevaldi.exports.base import Export, Pictures


def audiofolder(pictures: Pictures, about: Export) -> Path:
    """A folder for each class, with its sounds as FLAC, and metadata.csv: imagefolder for a run whose pictures are sounds.

    Open it with datasets.load_dataset(FOLDER), or read the files with soundfile or torchaudio.

    Raises:
        SpecError: the pictures of the run are no sounds.
    """
    if about.rate is None:
        raise SpecError("The pictures of this run are no sounds: its generator has none. Export them with --to imagefolder.")
    return write_classes(pictures, about, write_sound)
