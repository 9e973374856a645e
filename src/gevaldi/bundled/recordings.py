"""The spoken digits of the Free Spoken Digit Dataset: read from a folder of its recordings, or those that ship."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from gevaldi.bundled.data import DataSet, Part
from gevaldi.errors import DataError
from gevaldi.provenance import note_files

if TYPE_CHECKING:
    from torch import Tensor

    from gevaldi.bundled.examples import Examples
    from gevaldi.sounds.log_mel import LogMel
    from gevaldi.sounds.recordings import Recording

NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
RATE = 8000  # Hz
TESTED = 5  # recordings of a digit and a speaker, the first ones, are the official test set
SHIPPED = Path(__file__).parent / "recordings.flac"


@dataclass(frozen=True)
class Recordings(DataSet):
    """Files `{digit}_{speaker}_{index}.wav` of 8 kHz; their log-mel spectrograms are the pictures."""

    side: ClassVar[int] = 64

    @property
    def training(self) -> str:
        """All its training recordings."""
        return f"the 2,700 training recordings of the {self.name} [{self.source}]"

    def sound(self) -> "LogMel":
        """Log-mel spectrograms of 64 bands and 64 frames, which is a second."""
        from gevaldi.sounds.log_mel import LogMel

        return LogMel(rate=RATE, mels=self.side, frames=self.side)

    def read(self, part: Part, folder: Path | None = None) -> "Examples":
        """The recordings whose index is below 5 are those for testing; sorted by digit, speaker and index.

        `folder` is that of the recordings, or the one above it.

        Raises:
            DataError: no folder is named, it holds no recordings, or one cannot be read or is not of 8 kHz.
        """
        if folder is None:
            raise DataError(
                f"The folder of the {self.name} was not named; it is not downloaded. Clone "
                "https://github.com/Jakobovski/free-spoken-digit-dataset, and hand over its folder `recordings`: "
                f"{self.command.replace('DIR', 'FOLDER')}"
            )
        inner = folder / "recordings"
        folder = inner if inner.is_dir() else folder
        found = {tuple(name.groups()): path for path in folder.glob("*.wav") if (name := NAME.fullmatch(path.name))}
        chosen = sorted(
            (key for key in found if (int(key[2]) < TESTED) == (part == "test")), key=lambda key: (key[0], key[1], int(key[2]))
        )
        if not chosen:
            state = "it holds none" if folder.is_dir() else "there is no such folder"
            raise DataError(
                f"No {part} recordings of the {self.name} in {folder}: {state}. Expected are files such as 7_jackson_12.wav, of "
                "which those with an index from 0 to 4 are for testing."
            )
        note_files(found[key] for key in chosen)
        return self.examples({found[key].stem: _recording(found[key]).waveform for key in chosen})

    def shipped(self) -> "Examples":
        """Two of each digit and speaker, all in one file."""
        note_files([SHIPPED, SHIPPED.with_suffix(".json")])
        lengths = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8"))
        return self.examples(dict(zip(lengths, _recording(SHIPPED).waveform.split(list(lengths.values())), strict=True)))

    def examples(self, waveforms: Mapping[str, "Tensor"]) -> "Examples":
        """Recordings by their names, which begin with the digit."""
        import torch

        from gevaldi.bundled.examples import Examples
        from gevaldi.sounds.recordings import Recording

        sound = self.sound()
        recordings = [Recording(waveform, RATE).lasting(sound.samples / RATE) for waveform in waveforms.values()]
        pictures = [sound.picture(some) for some in torch.stack([recording.waveform for recording in recordings]).split(100)]
        return Examples(torch.cat(pictures), torch.tensor([int(name[0]) for name in waveforms]), list(waveforms), recordings)


def _recording(path: Path) -> "Recording":
    """A recording of 8 kHz.

    Raises:
        DataError: it cannot be read, or is of another rate.
    """
    from gevaldi.sounds.files import read, require

    require("The set of spoken digits")
    recording = read(path.read_bytes(), str(path))
    if recording.rate != RATE:
        raise DataError(f"{path} has {recording.rate:,} samples a second; those of the Free Spoken Digit Dataset have {RATE:,}.")
    return recording


def write_recordings(folder: Path, path: Path = SHIPPED) -> None:
    """Write the first test recordings of each digit and speaker one after the other, and beside them how long each is."""
    import torch

    from gevaldi.files import write_whole
    from gevaldi.sounds.files import flac

    chosen = {file.stem: _recording(file).waveform for file in sorted(folder.glob("*_*_[01].wav"))}
    write_whole(path, flac(torch.cat(list(chosen.values())), RATE))
    lengths = {name: len(waveform) for name, waveform in chosen.items()}
    write_whole(path.with_suffix(".json"), f"{json.dumps(lengths)}\n".encode())
