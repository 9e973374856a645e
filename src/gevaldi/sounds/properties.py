"""Measured properties of sounds, from their log-mel pictures."""

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from gevaldi.sounds.log_mel import LogMel

Values = Float[Tensor, " batch"]

WORDS = {
    "loudness": (" dB", "louder", "quieter"),
    "length": (" s", "longer", "shorter"),
    "onset": (" s", "starting later", "starting earlier"),
    "pitch": (" Hz", "higher in pitch", "lower in pitch"),
    "spectral centroid": (" Hz", "brighter in tone", "darker in tone"),
}
"""Of each property its unit, with the space before it, and what sounds with a large or a small value are."""

HANN = 1.5  # power of a sine in the squared spectrum of a Hann window, over that of its largest bin
LENGTH, VOICE = 25.0, 15.0  # dB below the loudest frame up to which a frame belongs to the sound, and to its voice
PITCHES = 60 * (400 / 60) ** torch.linspace(0, 1, 64, dtype=torch.float64)  # Hz, half a semitone apart
VOICED = 1000.0  # Hz up to which harmonics are looked for
FLAT = 0.1  # contrast of a spectrum below which it has no harmonics
SMOOTH = 7  # mels over which a spectrum is smoothed, so that only its harmonics are left
CLEAR = 0.5  # correlation with the harmonics of a pitch, below which a frame has none


def measure(pictures: Float[Tensor, "batch 1 mels frames"], sound: LogMel) -> dict[str, Values]:
    """The properties of sounds by name; NaN where a sound does not have one, as silence has none.

    Loudness is the mean level of the frames of the sound, where a sine of amplitude 1 has 0 dB. Length and onset are of the frames
    within 25 dB of the loudest. The spectral centroid is the mean frequency, by power. The pitch is that whose harmonics below
    1,000 Hz fit a frame best, the median over loud frames; `benchmarks/sounds.py` compares it with autocorrelation.
    """
    levels = pictures.squeeze(1).flip(-2)
    power = (10 ** (sound.floor * (1 - levels) / 10) - 10 ** (sound.floor / 10)).clamp_min(0)
    total = power.sum(1)
    loudest = total.amax(1, keepdim=True)
    silent = loudest.squeeze(1) == 0
    inside = (total >= loudest * 10 ** (-LENGTH / 10)) & (loudest > 0)
    first, last = inside.int().argmax(1), sound.frames - 1 - inside.flip(1).int().argmax(1)
    mean = (total * inside).sum(1) / inside.sum(1)
    second = sound.hop / sound.rate
    measured = {
        "loudness": 10 * torch.log10(mean / HANN),
        "length": (last - first + 1) * second,
        "onset": first * second,
        "pitch": _pitch(levels, (total >= loudest * 10 ** (-VOICE / 10)) & (loudest > 0), sound),
        "spectral centroid": (_centres(sound).to(power) @ power.sum(2).T) / total.sum(1),
    }
    return {name: values.to(levels.dtype).where(~silent, torch.nan) for name, values in measured.items()}


def _pitch(levels: Float[Tensor, "batch mels frames"], loud: Bool[Tensor, "batch frames"], sound: LogMel) -> Values:
    """The median over loud frames of the pitch whose harmonics fit best; NaN where fewer than half of these have one."""
    count = _voiced(sound)
    fits = torch.einsum("pm,bmt->bpt", _harmonics(sound).to(levels), _fine(levels[:, :count].mT).mT)
    best = fits.max(1)
    clear = loud & (best.values > CLEAR)
    found = PITCHES.to(levels)[best.indices].where(clear, torch.nan).nanmedian(1).values
    return found.where(2 * clear.sum(1) >= loud.sum(1), torch.nan)


def _fine(spectra: Float[Tensor, "... mels"]) -> Float[Tensor, "... mels"]:
    """Spectra without their smooth part, of length 1."""
    flat = spectra.reshape(-1, 1, spectra.shape[-1])
    smooth = avg_pool1d(pad(flat, (SMOOTH // 2, SMOOTH // 2), mode="replicate"), SMOOTH, 1)
    rest = (flat - smooth).view(spectra.shape)
    rest = rest - rest.mean(-1, keepdim=True)
    fine: Tensor = rest / rest.norm(dim=-1, keepdim=True).clamp_min(FLAT)
    return fine


def _centres(sound: LogMel) -> Float[Tensor, " mels"]:
    """The frequency of each mel, low first, on the scale of HTK."""
    highest = 2595 * torch.log10(torch.tensor(1 + sound.rate / 1400, dtype=torch.float64))
    return 700 * (10 ** (torch.linspace(0, 1, sound.mels + 2, dtype=torch.float64)[1:-1] * highest / 2595) - 1)


def _voiced(sound: LogMel) -> int:
    return max(SMOOTH, int((_centres(sound) < VOICED).sum()))


@lru_cache(8)
def _harmonics(sound: LogMel) -> Float[Tensor, "pitches mels"]:
    """The spectra of harmonic tones of all pitches, amplitudes falling as 1 / harmonic, in the middle of a picture."""
    time = torch.arange(sound.samples, dtype=torch.float64) / sound.rate
    spectra = []
    for pitch in PITCHES.tolist():
        number = torch.arange(1, int(0.475 * sound.rate / pitch) + 1, dtype=torch.float64)[:, None]
        tone = (torch.cos(2 * torch.pi * pitch * number * time + number.square()) / number).sum(0)  # phases without a common peak
        picture = sound.picture(0.3 * (tone / tone.abs().max())[None])[0, 0].flip(0)
        spectra.append(picture[: _voiced(sound), sound.frames // 3 : 2 * sound.frames // 3 + 1].mean(1))
    return _fine(torch.stack(spectra))
