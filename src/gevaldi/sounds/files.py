"""Files of sounds."""

import io
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float, Int16
from torch import Tensor

from gevaldi.errors import MissingExtra

FULL = 2**15  # levels of 16 bits from 0 to 1


def is_installed() -> bool:
    """Whether the packages of the extra `sound` are there."""
    return find_spec("soundfile") is not None and find_spec("torchaudio") is not None


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


def in_16_bits(waveform: Float[Tensor, "..."]) -> Int16[Tensor, "..."]:
    """Waveforms in [-1, 1] as files hold them, off the device; what is not a number becomes silence."""
    return (waveform.nan_to_num(0.0) * FULL).round().clamp(-FULL, FULL - 1).to(torch.int16).cpu()


def flac(waveform: Float[Tensor, " samples"] | Int16[Tensor, " samples"], rate: int) -> bytes:
    """A sound as FLAC of 16 bits and one channel.

    Raises:
        MissingExtra: `soundfile` is not installed.
    """
    sink = io.BytesIO()
    samples = waveform if waveform.dtype == torch.int16 else in_16_bits(waveform.detach())
    import_soundfile("FLAC").write(sink, samples.numpy(), rate, format="FLAC", subtype="PCM_16")
    return sink.getvalue()
