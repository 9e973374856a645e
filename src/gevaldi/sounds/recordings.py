"""Recordings, and the pictures that carry them."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int16
from torch import Tensor
from torch.nn.functional import pad

from gevaldi.errors import DataError

RECORDING = "recording"
FULL = 2**15  # levels of 16 bits from 0 to 1
ODD = 2_000  # from this numerator of a ratio of rates on, the filter of its resampling has millions of numbers


@dataclass(frozen=True)
class Recording:
    """A sound of one channel in [-1, 1], at a rate in samples a second (Hz)."""

    waveform: Float[Tensor, " samples"]
    rate: int

    def lasting(self, seconds: float) -> "Recording":
        """Its beginning, or all of it with silence after it."""
        samples = round(seconds * self.rate)
        return Recording(pad(self.waveform[:samples], (0, max(0, samples - len(self.waveform)))), self.rate)


def carrying(picture: Any, recording: Recording | None) -> Any:
    """A picture with the recording that it is of: a tensor, which loses it in any operation, or an image of Pillow."""
    if recording is not None:
        (picture.__dict__ if isinstance(picture, Tensor) else picture.info)[RECORDING] = recording
    return picture


def recording_of(picture: Tensor) -> Recording | None:
    """The recording that a picture is of, if it is of one."""
    return getattr(picture, RECORDING, None)


def resampled(waveform: Float[Tensor, "batch samples"], rate: int, wanted: int) -> Float[Tensor, "batch resampled"]:
    """Waveforms at another rate, differentiably.

    Raises:
        DataError: the rates have no simple ratio.
    """
    if rate == wanted:
        return waveform
    if rate // math.gcd(rate, wanted) > ODD:
        raise DataError(
            f"Sound of {rate:,} Hz cannot be brought to {wanted:,} Hz: the ratio is too odd. Convert it to a usual rate."
        )
    from torchaudio.functional import resample

    found: Tensor = resample(waveform, rate, wanted)
    return found


def in_16_bits(waveform: Float[Tensor, "..."]) -> Int16[Tensor, "..."]:
    """Waveforms in [-1, 1] as files hold them, off the device; what is not a number becomes silence."""
    return (waveform.nan_to_num(0.0) * FULL).round().clamp(-FULL, FULL - 1).to(torch.int16).cpu()


def stored(waveform: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Waveforms as a file of 16 bits gives them back."""
    return in_16_bits(waveform.detach()).float() / FULL
