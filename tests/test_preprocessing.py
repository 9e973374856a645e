"""The preprocessing of every model of torchvision and timm, against the packages' own on PIL pictures of four shapes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform, resolve_data_config

from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.classifiers._timm import preprocessing_as

SHAPES = {"square": (300, 300), "wide": (240, 400), "tall": (400, 240), "tiny": (20, 24)}
LEVELS = 2.1  # of 255: rounding to 8 bits after each direction


def pictures(shape: tuple[int, int]) -> Iterator[Image.Image]:
    """A photograph, and sharp edges of black and white, at which bicubic resizing overshoots most."""
    height, width = shape
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    yield Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    blocks = chance.integers(0, 2, (-(-height // 8), -(-width // 8), 3)).astype(np.uint8) * 255
    yield Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)[:height, :width])


def check(ours: Preprocessing, official: Any, shape: str) -> None:
    for picture in pictures(SHAPES[shape]):
        as_tensor = torch.from_numpy(np.array(picture)).movedim(-1, 0)[None].float() / 255
        found, expected = ours(as_tensor), official(picture)[None]
        assert found.shape == expected.shape
        assert ((found - expected) * ours.std).abs().max() < LEVELS / 255


@cache
def of_torchvision() -> dict[str, Any]:
    """One preset of each kind."""
    entries = (
        e for name in torchvision.models.list_models(module=torchvision.models) for e in torchvision.models.get_model_weights(name)
    )
    presets = (entry.transforms() for entry in entries)
    return {f"{p.resize_size[0]} to {p.crop_size[0]}, {p.interpolation.value}": p for p in presets}


@cache
def of_timm() -> dict[str, dict[str, Any]]:
    """One configuration of each kind, of smaller pictures."""
    configs = [resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict()) for name in timm.list_pretrained()]
    sized = [
        c | {"input_size": (3, *(64 * side // min(c["input_size"][1:]) for side in c["input_size"][1:]))}
        for c in configs
        if c["input_size"][0] == 3
    ]
    return {f"{c['input_size'][1:]}, {c['crop_mode']} {c['crop_pct']}, {c['interpolation']}": c for c in sized}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_preprocessing_of_torchvision_is_its_own_but_for_rounding(shape: str) -> None:
    assert len(of_torchvision()) > 15
    for preset in of_torchvision().values():
        ours = Preprocessing(preset.resize_size[0], (preset.crop_size[0],) * 2, preset.mean, preset.std, preset.interpolation)
        check(ours, preset, shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_preprocessing_of_timm_is_its_own_but_for_rounding(shape: str) -> None:
    assert len(of_timm()) > 10
    for name, config in of_timm().items():
        if config["crop_mode"] in ("center", "squash"):
            try:
                check(preprocessing_as(config, "x"), create_transform(**config, is_training=False), shape)
            except AssertionError as error:
                raise AssertionError(f"{name}: {error}") from error


def test_a_squashed_picture_is_said_to_be_cropped_where_it_is() -> None:
    from gevaldi.steps import steps_in_words

    for crop, resize, words in (
        ((64, 64), 71, ["resize to 71 x 71 pixels (bicubic, antialiased)", "crop the central 64 x 64"]),
        ((30, 44), 30, ["resize to 30 x 44 pixels (bicubic, antialiased)"]),
    ):
        part = {"kind": "Preprocessing", "crop": crop, "resize": resize, "interpolation": "bicubic", "mode": "squash"}
        said = steps_in_words({"x": part | {"mean": [0.0], "std": [1.0]}})
        assert said == words
