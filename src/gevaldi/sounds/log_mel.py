"""Log-mel spectrograms as pictures: low frequencies at the bottom, time from left to right, and loud as bright."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import pad

from gevaldi.errors import MissingExtra, SpecError
from gevaldi.sounds.base import Sound, Waveforms

UPDATES = 10  # of a mel spectrum's inversion; the residual falls from 7 % of the energy to 3 %
MOMENTUM = 0.99  # of Griffin-Lim [Perraudin 2013]
LEAST = 1e-12  # in place of a divisor of zero


@dataclass(frozen=True)
class LogMel(Sound):
    """x = 1 - log10(M|STFT(w)|² + 10^(floor/10)) / (floor/10): the log-mel spectrogram of a waveform w, from 0 at silence.

    A sine of amplitude 1 has 0 dB, which is white. M are the triangular filters of HTK from 0 Hz to half the rate. The way back
    inverts M by multiplicative updates for non-negative values [Lee 2001], and estimates phases by the fast Griffin-Lim algorithm
    [Perraudin 2013], which starts from one sine for each frequency, of a phase that is always the same.

    Attributes:
        rate: samples a second (Hz).
        window: samples of a Hann window.
        hop: samples from one column of the picture to the next.
        mels: rows of the picture.
        frames: its columns; the waveform has `hop * (frames - 1)` samples.
        floor: the level (dB) of silence.
        iterations: of Griffin-Lim.

    Raises:
        SpecError: a setting is out of its range.
        MissingExtra: torchaudio is not installed; from the methods, not from the settings.
    """

    rate: int = 8000
    window: int = 512
    hop: int = 128
    mels: int = 64
    frames: int = 64
    floor: float = -80
    iterations: int = 16

    def __post_init__(self) -> None:
        for name in ("rate", "window", "hop", "mels", "frames", "iterations"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SpecError(f"{name}={value!r} was given; a whole number from 1 was expected.")
        if self.hop > self.window // 2:
            raise SpecError(f"hop={self.hop} was given; at most half the window, {self.window // 2}, was expected.")
        if self.samples <= self.window // 2:
            raise SpecError(
                f"frames={self.frames} was given, which is {self.samples} samples; more than half a window "
                f"({self.window // 2}) was expected."
            )
        if not -200 <= self.floor < 0:
            raise SpecError(f"floor={self.floor!r} was given; a level from -200 dB to below 0 was expected.")

    @property
    def samples(self) -> int:
        """The length of a picture's waveform."""
        return self.hop * (self.frames - 1)

    def picture(self, waveform: Waveforms) -> Float[Tensor, "batch 1 mels frames"]:
        """The log-mel spectrograms of sounds, which are cut or padded with silence to the length of a picture."""
        whole = pad(waveform[:, : self.samples], (0, max(0, self.samples - waveform.shape[1])))
        tables = _tables(self, waveform.device, waveform.dtype)
        spectrum = self._spectrum(whole, tables)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = tables.filters.T @ power / tables.full
        level = 10 * torch.log10(mel + 10 ** (self.floor / 10))
        return (1 - level / self.floor).clamp(0, 1).flip(-2).unsqueeze(1)

    def waveform(self, pictures: Float[Tensor, "batch 1 mels frames"]) -> Waveforms:
        """The sounds of log-mel spectrograms."""
        if pictures.shape[1:] != (1, self.mels, self.frames):
            raise SpecError(
                f"Pictures of shape {tuple(pictures.shape[1:])} came; (1, {self.mels}, {self.frames}) was expected, as LogMel's "
                "mels and frames say. Say what the generator's pictures have: LogMel(mels=..., frames=...)."
            )
        tables = _tables(self, pictures.device, pictures.dtype)
        silence = 10 ** (self.floor / 10)
        level = self.floor * (1 - pictures.squeeze(1).flip(-2))
        power = self._linear((10 ** (level / 10) - silence).clamp_min(0), tables)
        quiet = silence / 10  # power under which magnitudes become linear, so that their gradient at silence is finite
        magnitude = ((power + quiet).sqrt() - quiet**0.5) * tables.full**0.5
        return self._griffin_lim(magnitude, tables).clamp(-1, 1)

    def _linear(self, mel: Float[Tensor, "batch mels frames"], tables: "_Tables") -> Float[Tensor, "batch frequencies frames"]:
        """The non-negative spectrum whose mel spectrum is nearest."""
        power = (tables.inverse @ mel).clamp_min(LEAST)
        goal = tables.filters @ mel
        for _ in range(UPDATES):
            power = power * goal / (tables.filters @ (tables.filters.T @ power) + LEAST)
        return power

    def _griffin_lim(self, magnitude: Float[Tensor, "batch frequencies frames"], tables: "_Tables") -> Waveforms:
        """The waveforms whose spectra have nearly these magnitudes.

        torchaudio's starts from phases of zero, which is an impulse where the window is zero: rounding grows by 10⁷ there.
        """
        phases, before = tables.phases, torch.zeros_like(tables.phases)
        for _ in range(self.iterations):
            spectrum = self._spectrum(self._inverse(magnitude * phases, tables), tables)
            ahead = spectrum - MOMENTUM / (1 + MOMENTUM) * before
            phases, before = ahead * (ahead.real.square() + ahead.imag.square() + LEAST).rsqrt(), spectrum
        return self._inverse(magnitude * phases, tables)

    def _spectrum(self, waveform: Waveforms, tables: "_Tables") -> Tensor:
        return torch.stft(waveform, self.window, self.hop, window=tables.window, return_complex=True)

    def _inverse(self, spectrum: Tensor, tables: "_Tables") -> Waveforms:
        return torch.istft(spectrum, self.window, self.hop, window=tables.window)


@dataclass(frozen=True)
class _Tables:
    """The numbers that settings stand for."""

    window: Float[Tensor, " samples"]
    filters: Float[Tensor, "frequencies mels"]
    inverse: Float[Tensor, "frequencies mels"]
    phases: Complex[Tensor, "frequencies frames"]
    full: float


@lru_cache(32)
def _tables(sound: LogMel, device: torch.device, dtype: torch.dtype) -> _Tables:
    if find_spec("torchaudio") is None:
        raise MissingExtra("torchaudio", "Sound", "sound")
    from torchaudio.functional import melscale_fbanks

    window, count = torch.hann_window(sound.window, dtype=torch.float64), sound.window // 2 + 1
    filters = melscale_fbanks(count, 0, sound.rate / 2, sound.mels, sound.rate).double()
    frequency, frame = torch.arange(count, dtype=torch.float64)[:, None], torch.arange(sound.frames)
    drawn = torch.rand(count, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turns = frequency * frame * sound.hop / sound.window + drawn
    return _Tables(
        window=window.to(device, dtype),
        filters=filters.to(device, dtype),
        inverse=torch.linalg.pinv(filters.T).to(device, dtype),
        phases=torch.polar(torch.ones_like(turns), 2 * torch.pi * turns).to(device, dtype.to_complex()),
        full=float(window.sum() / 2) ** 2,
    )
