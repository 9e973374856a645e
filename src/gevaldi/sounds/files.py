"""Files of sounds."""

import io
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float, Int16
from torch import Tensor

from gevaldi.errors import DataError, MissingExtra
from gevaldi.sounds.recordings import Recording, in_16_bits, recording_of

LONGEST = 60.0  # seconds of a recording
LOUDEST = 2.0  # up to which samples are clipped, since lossy formats exceed 1 a little; beyond, they have another scale
RATES = (1_000, 384_000)  # Hz


def is_installed() -> bool:
    """Whether the packages of the extra `sound` are there."""
    return find_spec("soundfile") is not None and find_spec("torchaudio") is not None


def require(purpose: str) -> None:
    """Check that the packages of the extra `sound` are there.

    Raises:
        MissingExtra: one is not.
    """
    import_soundfile(purpose)
    if find_spec("torchaudio") is None:
        raise MissingExtra("torchaudio", purpose, "sound")


def import_soundfile(purpose: str) -> Any:
    """The package `soundfile`.

    Raises:
        MissingExtra: it is not installed, or lacks its library.
    """
    try:
        import soundfile
    except (ImportError, OSError):
        raise MissingExtra("soundfile", purpose, "sound") from None
    return soundfile


def flac(waveform: Float[Tensor, " samples"] | Int16[Tensor, " samples"], rate: int) -> bytes:
    """A sound as FLAC of 16 bits and one channel.

    Raises:
        MissingExtra: `soundfile` is not installed.
    """
    sink = io.BytesIO()
    samples = waveform if waveform.dtype == torch.int16 else in_16_bits(waveform.detach())
    import_soundfile("FLAC").write(sink, samples.numpy(), rate, format="FLAC", subtype="PCM_16")
    return sink.getvalue()


def flac_of(picture: Tensor) -> bytes | None:
    """The recording that a picture is of, as FLAC; None if it is of none.

    Raises:
        MissingExtra: `soundfile` is not installed.
    """
    recording = recording_of(picture)
    return None if recording is None else flac(recording.waveform, recording.rate)


def read(content: bytes, name: str) -> Recording:
    """An encoded recording (WAV, FLAC, OGG, MP3) at its own rate, its channels mixed to one.

    Raises:
        DataError: it is no recording, is empty, too long, not a number, or of another scale; the message has its name.
        MissingExtra: `soundfile` is not installed.
    """
    soundfile = import_soundfile(name)
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate, seconds = file.samplerate, len(file) / file.samplerate
            if not RATES[0] <= rate <= RATES[1]:
                raise DataError(f"{name} has {rate:,} samples a second; {RATES[0]:,} to {RATES[1]:,} were expected.")
            if seconds > LONGEST:
                raise DataError(f"{name} lasts {seconds:,.0f} s; at most {LONGEST:.0f} s are read. Cut it to its part of interest.")
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        reason = str(error).rstrip(".").rpartition(": ")[2]
        raise DataError(f"{name} cannot be read as a recording: {reason}. WAV, FLAC, OGG or MP3 was expected.") from None
    if not len(samples):
        raise DataError(f"{name} is a recording without samples. Remove it or mend it.")
    waveform = torch.from_numpy(samples).mean(1)
    if not bool(waveform.isfinite().all()):
        raise DataError(f"{name} has samples that are no numbers (NaN or infinite). Remove it or mend it.")
    loudest = float(waveform.abs().max())
    if loudest > LOUDEST:
        raise DataError(f"{name} has samples up to {loudest:,.0f}; [-1, 1] was expected. Divide them by their full scale.")
    return Recording(waveform.clamp(-1, 1), rate)
