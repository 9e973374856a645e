"""The usual slips of sound: what a network may have been trained on instead of what it gets."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from gevaldi.sounds.recordings import FULL, resampled

RATES = (8_000, 16_000, 22_050, 44_100, 48_000)


@dataclass(frozen=True)
class Slip:
    """Another form of sound for a network.

    Attributes:
        rather: the form, after "if it gets them".
        remedy: how the user can fix it.
        change: from what the network gets to this form.
    """

    rather: str
    remedy: str
    change: Callable[[Tensor], Tensor]


def slips_of_waveforms(hears: int) -> list[Slip]:
    """For a network that gets waveforms (batch, samples) in [-1, 1] at a rate in Hz."""
    return [
        *(
            Slip(
                f"at {rate:,} Hz",
                f"Does its network expect that? Then set hears={rate}.",
                partial(_at, hears, rate),
            )
            for rate in RATES
            if rate != hears
        ),
        Slip("as numbers of 16 bits", "Multiply the waveforms by 32,768 in its forward().", lambda x: x * FULL),
        Slip(
            "scaled to a largest sample of 1",
            "Divide each waveform by its largest sample in its forward().",
            lambda x: x / x.abs().amax(1, keepdim=True).clamp_min(1 / FULL),
        ),
        Slip(
            "with both channels added", "Multiply the waveforms by 2 in its forward(): here channels are averaged.", lambda x: 2 * x
        ),
        Slip("cut off at half the scale", "Cut the waveforms off in its forward().", lambda x: x.clamp(-0.5, 0.5)),
    ]


def _at(hears: int, rate: int, waveform: Tensor) -> Tensor:
    return resampled(waveform, hears, rate)


def slips_of_spectrograms(floor: float) -> list[Slip]:
    """For a network that gets log-mel pictures (batch, 1, mels, frames) in [0, 1], which stand for levels from `floor` dB to 0."""
    return [
        Slip("as power", f"Compute 10 ** ({floor / 10:g} * (1 - x)) in its forward().", lambda x: 10 ** (floor / 10 * (1 - x))),
        Slip("as amplitude", f"Compute 10 ** ({floor / 20:g} * (1 - x)) in its forward().", lambda x: 10 ** (floor / 20 * (1 - x))),
        Slip(f"in dB from {floor:g} to 0", f"Compute {floor:g} * (1 - x) in its forward().", lambda x: floor * (1 - x)),
        Slip("with low frequencies at the top", "Turn the pictures upside down in its forward(): x.flip(2).", lambda x: x.flip(2)),
    ]
