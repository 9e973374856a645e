"""Recordings in a folder, as pictures that can be heard."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.pictures.base import RealPictures
    from gevaldi.sounds.log_mel import LogMel


class Sounds:
    """Recordings in a folder: `sounds:path/to/recordings`; sub-folders name their classes, or a list: `classes=labels.csv`.

    WAV, FLAC, OGG and MP3 of any rate; channels are mixed. Each becomes a log-mel spectrogram, `rate=8000,window=512,hop=128,
    mels=64,frames=64,floor=-80` by default, cut or padded with silence to `hop * (frames - 1)` samples. A classifier of waveforms
    hears the recording itself, for that time. `classes=` is as in `folder:`. Needs `pip install 'gevaldi[sound]'`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        classes: str = "auto",
        rate: int = 8000,
        window: int = 512,
        hop: int = 128,
        mels: int = 64,
        frames: int = 64,
        floor: float = -80,
    ) -> "RealPictures":
        """All recordings of the folder, in the order of their paths; each is read when it is used.

        Raises:
            DataError: there is no such folder, no recording in it, or what names their classes is not clear.
            MissingExtra: `soundfile` or `torchaudio` is not installed.
            SpecError: a setting is out of its range.
        """
        from gevaldi.pictures._layout import RECORDINGS, files_in
        from gevaldi.pictures.base import Files, RealPictures
        from gevaldi.pictures.folder import classes_of
        from gevaldi.sounds.files import require
        from gevaldi.sounds.log_mel import LogMel

        require(f"sounds:{name}")
        sound = LogMel(rate, window, hop, mels, frames, floor)
        root = local_path(name)
        paths = files_in(root, RECORDINGS)
        return RealPictures(Files(paths, AsPicture(sound)), classes_of(root, paths, classes), paths.names, sound)


@dataclass(frozen=True)
class AsPicture:
    """Makes the picture of a recording, which carries it."""

    sound: "LogMel"

    def __call__(self, content: bytes, name: str) -> Any:
        """The log-mel spectrogram of an encoded recording.

        Raises:
            DataError: it is none, or cannot be used; the message has its name.
        """
        from gevaldi.sounds.files import read
        from gevaldi.sounds.recordings import carrying, resampled

        recording = read(content, name)
        picture = self.sound.picture(resampled(recording.waveform[None], recording.rate, self.sound.rate))[0]
        return carrying(picture, recording.lasting(self.sound.samples / self.sound.rate))
