"""What happens to a picture on its way through a classifier, in words, from the settings in a run's record. Needs no torch."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def steps_in_words(settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line a step, in order.

    Args:
        settings: of each part of the network, by its name, as `gevaldi.fingerprints.settings_of` lists them. Parts that compute
            without settings of their own are left out.
    """
    before = [line for part in settings.values() for line in BEFORE.get(part["kind"], _others)(part)]
    after = [line for part in settings.values() for line in AFTER.get(part["kind"], _nothing)(part)]
    return before + after[::-1]  # the outermost part acts last


def _nothing(_: Mapping[str, Any]) -> list[str]:
    return []


def _resized(part: Mapping[str, Any]) -> list[str]:
    high, wide = part["crop"]
    how = f"({part['interpolation']}, antialiased)"
    if part["mode"] == "squash":
        tall, broad = (int(part["resize"] * side / min(high, wide)) for side in (high, wide))
        crop = [f"crop the central {high} x {wide}"] if (tall, broad) != (high, wide) else []
        return [f"resize to {tall} x {broad} pixels {how}", *crop, *_normalised(part)]
    return [f"resize the shorter side to {part['resize']} pixels {how}", f"crop the central {high} x {wide}", *_normalised(part)]


def _framed(part: Mapping[str, Any]) -> list[str]:
    colours = ["reverse the colour channels (blue first)"] if part.get("backwards") else []
    return [f"resize and crop: {_listed(part, ('frame', 'resize', 'crop', 'interpolation', 'mode'))}", *colours, *_normalised(part)]


def _normalised(part: Mapping[str, Any]) -> list[str]:
    if set(part["mean"]) == {0.0} and set(part["std"]) == {1.0}:
        return []
    return [f"subtract the mean {_numbers(part['mean'])} and divide by the standard deviation {_numbers(part['std'])}"]


def _others(part: Mapping[str, Any]) -> list[str]:
    shown = _listed(part, part.keys() - {"kind"})
    return [f"{part['kind'].strip('_')}: {shown}"] if shown else []


def _listed(part: Mapping[str, Any], keys: Iterable[str]) -> str:
    return ", ".join(f"{key}={part[key]}" for key in sorted(keys) if part.get(key) is not None)


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


OUTPUTS = {
    "logits": "logits become log-probabilities by log-softmax",
    "probabilities": "probabilities become their logarithms",
    "log-probabilities": "the network returns log-probabilities",
}
Words = Callable[[Mapping[str, Any]], list[str]]
BEFORE: dict[str, Words] = {
    "Preprocessing": _resized,
    "Framed": _framed,
    "Normalisation": _normalised,
    "Normalise": lambda _: ["normalise, as the network was trained"],
    "ModuleClassifier": lambda part: _normalised(part) if part["normalised"] else [],
    "Backwards": lambda _: ["reverse the colour channels (blue first)"],
    "Typed": lambda part: [f"convert to {part['dtype']}"],
    "Standardised": lambda part: ["scale each waveform to mean 0 and variance 1"] if part["standardised"] else [],
    "FilterBank": lambda part: [
        f"take {part['frames']:,} frames of Kaldi's filter bank of {part['mels']} mels",
        f"subtract {part['mean']:.4g} and divide by {part['std']:.4g}",
    ],
    "FixedBatch": lambda part: [f"pass at most {part['most']} pictures at a time"] if part.get("most") else [],
    "Tempered": _nothing,
    "_Inputs": _nothing,
    "_Halved": lambda part: [f"compute in {part['dtype']}"],
}
AFTER: dict[str, Words] = {
    "ModuleClassifier": lambda part: [OUTPUTS[part["output"]]],
    "Tempered": lambda part: [f"divide the log-probabilities by a temperature of {part['temperature'][0]:.4g} and normalise again"],
}
