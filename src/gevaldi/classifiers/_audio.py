"""What the feature extractors of transformers do to a waveform, so that gradients pass."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.classifiers._transformers import Logits
from gevaldi.errors import MissingExtra, SpecError, describe_error
from gevaldi.labels import Labels
from gevaldi.models import Classifier, classifier
from gevaldi.sounds.base import Waveforms

CLOSE = 1e-3  # by which features may differ from those of the extractor itself


class Standardised(nn.Module):
    """Each waveform with mean 0 and variance 1, as Wav2Vec2's extractor has it; or unchanged."""

    def __init__(self, standardised: bool) -> None:
        super().__init__()
        self.standardised = standardised

    def forward(self, waveform: Waveforms) -> Float[Tensor, "batch samples"]:
        """What the network takes."""
        if not self.standardised:
            return waveform
        mean, variance = waveform.mean(1, keepdim=True), waveform.var(1, correction=0, keepdim=True)
        return (waveform - mean) / (variance + 1e-7).sqrt()


class FilterBank(nn.Module):
    """Kaldi's log filter bank, padded or cut to so many frames and normalised, as the Audio Spectrogram Transformer takes it."""

    def __init__(self, rate: int, mels: int, frames: int, mean: float, std: float) -> None:
        super().__init__()
        self.rate, self.mels, self.frames, self.mean, self.std = rate, mels, frames, mean, std

    def forward(self, waveform: Waveforms) -> Float[Tensor, "batch frames mels"]:
        """What the network takes."""
        from torchaudio.compliance.kaldi import fbank

        features = torch.stack(
            [fbank(one[None], sample_frequency=self.rate, window_type="hanning", num_mel_bins=self.mels) for one in waveform]
        )[:, : self.frames]
        padded = nn.functional.pad(features, (0, 0, 0, self.frames - features.shape[1]))
        return (padded - self.mean) / self.std


@dataclass(frozen=True)
class Official:
    """A network behind its own feature extractor: from a waveform (NumPy) to log-probabilities (1, classes)."""

    module: nn.Sequential
    extractor: Any
    trusted: bool

    def __call__(self, waveform: Any) -> Float[Tensor, "1 classes"]:
        """What the network says of the waveform as its package prepares it."""
        _, network = self.module  # looked up now, so that a copy with another network in it is not passed by
        own = next(network.parameters())
        log_p: Tensor = network(_features(self.extractor, waveform).to(own)).log_softmax(-1)
        return log_p


def hearing(network: nn.Module, extractor: Any, labels: Labels, name: str, asked: str, trusted: bool) -> Classifier:
    """A classifier of waveforms behind the differentiable twin of its feature extractor; `asked` is its name in messages.

    Raises:
        SpecError: the extractor is of a kind that is not known here.
        MissingExtra: torchaudio is not installed.
    """
    module = nn.Sequential()
    module.add_module("preprocessing", _twin(extractor, asked))
    module.add_module("network", Logits(network.float(), "input_values"))
    made = classifier(module.eval().requires_grad_(False), labels, name=name, hears=extractor.sampling_rate)
    made.official = Official(module, extractor, trusted)
    return made.eval()


def _twin(extractor: Any, name: str) -> nn.Module:
    kind = type(extractor).__name__
    if kind == "Wav2Vec2FeatureExtractor":
        twin: nn.Module = Standardised(bool(extractor.do_normalize))
    elif kind == "ASTFeatureExtractor":
        _require_torchaudio(name)
        mean, std = (extractor.mean, 2 * extractor.std) if extractor.do_normalize else (0.0, 1.0)
        twin = FilterBank(extractor.sampling_rate, extractor.num_mel_bins, extractor.max_length, mean, std)
    else:
        raise SpecError(
            f"transformers:{name} prepares sound by {kind}, which is not known here: known are Wav2Vec2FeatureExtractor and "
            "ASTFeatureExtractor. Write its preparation in torch, and wrap it: gevaldi.classifier(module, labels, hears=RATE)."
        )
    noise = 0.1 * torch.randn(1, extractor.sampling_rate, generator=torch.Generator().manual_seed(0))
    try:
        official = _features(extractor, noise[0].numpy())
        away = (twin(noise) - official).abs().max().item()
    except Exception as error:  # whatever an extractor raises at settings that contradict each other
        raise SpecError(f"transformers:{name}: its feature extractor cannot be used. {describe_error(error)}") from error
    if not away < CLOSE:
        raise SpecError(
            f"transformers:{name} prepares sound in another way than the settings of its {kind} say: features differ by "
            f"{away:.3g}. Write its preparation in torch, and wrap it: gevaldi.classifier(module, labels, hears=RATE)."
        )
    return twin


def _require_torchaudio(name: str) -> None:
    from importlib.util import find_spec

    if find_spec("torchaudio") is None:
        raise MissingExtra("torchaudio", f"transformers:{name}", "sound")


def _features(extractor: Any, waveform: Any) -> Tensor:
    found: Tensor = extractor(waveform, sampling_rate=extractor.sampling_rate, return_tensors="pt")["input_values"]
    return found
