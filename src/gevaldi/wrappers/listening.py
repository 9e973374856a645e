"""Classifiers of waveforms, before pictures that can be heard."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.errors import ContractError
from gevaldi.models import Classifier, Pictures, Sound
from gevaldi.sounds.base import Waveforms
from gevaldi.sounds.recordings import RECORDING, Recording, resampled, stored


class Listening(Classifier):
    """A classifier of waveforms that hears pictures, by the sound of the generator or of the real recordings.

    Stored pictures are heard as files hold them, in 16 bits; a picture of a recording is the recording itself.
    """

    def __init__(self, inner: Classifier, sound: Sound | None) -> None:
        """`sound` is None where only recordings are heard."""
        super().__init__()
        self.inner, self.sound, self.labels = inner, sound, inner.labels
        self.name, self.note, self.files, self.training = inner.name, inner.note, inner.files, inner.training
        self.official = self._official

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log p(y|x) of the sounds of pictures."""
        log_p: Tensor = self.inner(self.waveforms(pictures))
        return log_p

    def waveforms(self, pictures: Pictures) -> Waveforms:
        """The sounds of pictures at the rate of the classifier.

        Raises:
            ContractError: nothing says how the pictures become sound.
        """
        if self.sound is None:
            raise _lacks_sound(self.inner)
        return self._at_rate(self.sound.waveform(pictures), self.sound.rate)

    def _at_rate(self, waveform: Waveforms, rate: int) -> Float[Tensor, "batch resampled"]:
        assert self.inner.hears
        return resampled(waveform, rate, self.inner.hears)

    def _official(self, picture: Any) -> Float[Tensor, "1 classes"]:
        """Log p(y|x) of the recording that a stored picture is of, or else of its own sound."""
        recording = picture.info.get(RECORDING) or self._heard(picture)
        waveform = self._at_rate(recording.waveform[None], recording.rate)
        if self.inner.official:
            return self.inner.official(waveform[0].float().numpy())
        own = next(self.inner.parameters(), waveform)
        log_p: Tensor = self.inner(waveform.to(own))
        return log_p

    def _heard(self, picture: Any) -> Recording:
        if self.sound is None:
            raise _lacks_sound(self.inner)
        levels = torch.from_numpy(np.array(picture)).float() / 255
        pictures = levels[None, None] if levels.dim() == 2 else levels.movedim(-1, 0)[None]
        return Recording(stored(self.sound.waveform(pictures))[0], self.sound.rate)


def listening(classifier: Classifier, sound: Sound | None) -> Classifier:
    """The classifier before pictures: itself, or, if it takes waveforms, with the sounds of the pictures.

    Raises:
        ContractError: it takes waveforms, and nothing says how the pictures become sound.
    """
    if classifier.hears is None:
        return classifier
    if sound is None:
        raise _lacks_sound(classifier)
    return Listening(classifier, sound)


def _lacks_sound(classifier: Classifier) -> ContractError:
    return ContractError(
        f"{classifier.name or type(classifier).__name__} takes waveforms of {classifier.hears:,} Hz, and nothing says how the "
        "pictures become sound. Say it of the generator, gevaldi.generator(..., sound=LogMel()), or give recordings: sounds:FOLDER."
    )
