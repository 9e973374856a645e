"""The spoken digits of the Free Spoken Digit Dataset: read from a folder of its recordings, or those that ship."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float

from gevaldi.bundled.data import DataSet, Part
from gevaldi.errors import DataError
from gevaldi.provenance import note_files

if TYPE_CHECKING:
    from gevaldi.bundled.examples import Examples
    from gevaldi.sounds.log_mel import LogMel

NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
RATE = 8000  # Hz
TESTED = 5  # recordings of a digit and a speaker, the first ones, are the official test set
SHIPPED = Path(__file__).parent / "recordings.flac"
EACH = 2  # recordings of a digit and a speaker that ship


@dataclass(frozen=True)
class Recordings(DataSet):
    """Files `{digit}_{speaker}_{index}.wav` of 8 kHz; their log-mel spectrograms are the pictures."""

    side: ClassVar[int] = 64

    @property
    def training(self) -> str:
        """All its training recordings."""
        return f"the 2,700 training recordings of the {self.name} [{self.source}]"

    @property
    def terms(self) -> str:
        """The licence of the recordings, which holds for what is made of them."""
        return """
The recordings are © Zohar Jackson and the contributors of the Free Spoken Digit Dataset
(https://github.com/Jakobovski/free-spoken-digit-dataset), under CC BY-SA 4.0
(https://creativecommons.org/licenses/by-sa/4.0/). What was made of them, these weights too, is under the same licence.
"""

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
        return self.examples({found[key].stem: _samples(found[key]) for key in chosen})

    def shipped(self) -> "Examples":
        """Two of each digit and speaker, all in one file."""
        note_files([SHIPPED, SHIPPED.with_suffix(".json")])
        lengths, samples = json.loads(SHIPPED.with_suffix(".json").read_text(encoding="utf-8")), _samples(SHIPPED)
        ends = np.cumsum(list(lengths.values()))
        return self.examples(dict(zip(lengths, np.split(samples, ends[:-1]), strict=True)))

    def examples(self, recordings: Mapping[str, Float[np.ndarray, " samples"]]) -> "Examples":
        """Recordings by their names, which begin with the digit."""
        import torch
        from torch.nn.functional import pad

        from gevaldi.bundled.examples import Examples

        waveforms, sound = [torch.from_numpy(samples) for samples in recordings.values()], self.sound()
        same = torch.stack([pad(waveform, (0, sound.samples - len(waveform))) for waveform in waveforms])  # or cut
        pictures = torch.cat([sound.picture(some) for some in same.split(100)])
        return Examples(pictures, torch.tensor([int(name[0]) for name in recordings]), list(recordings), waveforms)


def _samples(path: Path) -> Float[np.ndarray, " samples"]:
    """The samples of a recording of one channel, in [-1, 1].

    Raises:
        DataError: it cannot be read, or is of another rate or of several channels.
    """
    from gevaldi.sounds.files import import_soundfile

    soundfile = import_soundfile("Recordings")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} cannot be read as a recording: {error}. Remove it or get it again.") from None
    if rate != RATE or samples.shape[1] != 1 or not len(samples):
        raise DataError(
            f"{path} holds {len(samples)} samples of {samples.shape[1]} channels at {rate} Hz; those of the Free Spoken Digit "
            f"Dataset have one channel at {RATE} Hz."
        )
    recording: np.ndarray = samples[:, 0]
    return recording


def write_recordings(test: "Examples", path: Path = SHIPPED) -> None:
    """Write the first recordings of each digit and speaker one after the other, and beside them how long each is."""
    from itertools import groupby

    import torch

    from gevaldi.files import write_whole
    from gevaldi.sounds.files import flac

    assert test.names
    assert test.waveforms
    of_one = groupby(zip(test.names, test.waveforms, strict=True), lambda pair: pair[0].rpartition("_")[0])
    chosen = dict(pair for _, recordings in of_one for pair in list(recordings)[:EACH])
    write_whole(path, flac(torch.cat(list(chosen.values())), RATE))
    lengths = {name: len(waveform) for name, waveform in chosen.items()}
    write_whole(path.with_suffix(".json"), f"{json.dumps(lengths)}\n".encode())
