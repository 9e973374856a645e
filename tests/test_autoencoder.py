"""Autoencoders as generators: a search starts at the encoding of a real picture and stays around it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gevaldi
from gevaldi.errors import DataError, MissingExtra, SpecError, WeightsError
from gevaldi.generators import load_generator

FILE = """
import torch
from torch import nn

class Blocks(nn.Module):
    def encode(self, x):
        return nn.functional.avg_pool2d(x, 4)
    def decode(self, z):
        return nn.functional.interpolate(z, scale_factor=4)

def make():
    return Blocks()

def half():
    return nn.Identity()
"""
WNIDS = ("n01530575", "n01443537", "n02012849")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(FILE)
    (tmp_path / "pictures").mkdir()
    chance = np.random.default_rng(0)
    for i, wnid in enumerate(WNIDS):
        Image.fromarray(chance.integers(40, 215, (16, 16, 3), dtype=np.uint8)).save(tmp_path / "pictures" / f"{i:03d}_{wnid}.png")
    return tmp_path


def named(folder: Path, more: str = "", made: str = "make") -> str:
    return f"autoencoder:python:{folder / 'models.py'}:{made},pictures=folder:{folder / 'pictures'},size=16{more}"


def small(seed: int) -> gevaldi.Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    return gevaldi.classifier(net, labels=[gevaldi.Label(wnid, wnid) for wnid in WNIDS]).eval()


def test_the_latent_of_zeros_is_the_reconstruction_and_conditions_are_the_pictures_classes(folder: Path) -> None:
    found = load_generator(named(folder, ",radius=0.5"))
    expected = [("brambling", WNIDS[0]), ("goldfish", WNIDS[1]), ("crane bird", WNIDS[2])]
    assert [(label.name, label.id) for label in found.conditions] == expected
    assert found.prior.shape == (3, 4, 4)
    assert found.originals is not None
    zeros, which = torch.zeros(3, 3, 4, 4), torch.arange(3)
    blocks = nn.functional.interpolate(nn.functional.avg_pool2d(found.originals, 4), scale_factor=4)
    assert torch.allclose(found(zeros, which), blocks)
    moved = found(torch.full((3, 3, 4, 4), 0.1), which)
    assert torch.allclose(moved, (blocks + 0.05).clamp(0, 1), atol=1e-6)


@pytest.mark.slow
def test_regions_around_pictures_say_that_they_are_about_pictures_near_these(folder: Path) -> None:
    pair = (small(0), small(1), named(folder, ",radius=0.5"))
    done = gevaldi.compare(*pair, out=folder / "run", samples=1, steps=1, device="cpu", progress=False)
    done.regions(64, progress=False)
    assert "the mass is about pictures near them, not about all pictures" in Path(done.report()).read_text()


def test_a_search_starts_at_the_encoding_and_its_row_and_report_show_the_real_picture(folder: Path) -> None:
    settings: dict[str, Any] = {"samples": 3, "steps": 12, "batch_size": 3, "device": "cpu", "orders": "forward", "audited": 6}
    done = gevaldi.compare(small(0), small(1), named(folder, ",radius=0.5"), out=folder / "run", **settings)
    generator = load_generator(named(folder, ",radius=0.5"))
    assert generator.originals is not None
    for row in done.rows().to_dict("records"):
        assert not np.any(row["z_start"])
        assert row["typicality_start"] == 0
        assert row["typicality_end"] <= 0.9991
        centre = generator.centre(torch.tensor([row["condition"]]))
        assert centre is not None
        z = torch.tensor(row["z_end"])
        assert row["delta_z"] == pytest.approx((z.norm() / (z + centre.flatten()).norm()).item(), rel=1e-4)
        shown = np.asarray(Image.open(io.BytesIO(row["picture_original"]["bytes"]))) / 255
        assert np.abs(np.moveaxis(shown, -1, 0) - generator.originals[row["condition"]].numpy()).max() < 0.5 / 255 + 1e-6
        assert row["divergence_end"] > row["divergence_start"]
    assert done.report().read_text().count("the real picture; ") == 3
    assert done.run.record["taxonomy"]["name"] == "ilsvrc"


def test_more_searches_than_pictures_are_a_warning_unless_there_is_chance_in_them(folder: Path) -> None:
    def warnings(samples: int, algorithm: str = "adam") -> str:
        generator, out = load_generator(named(folder)), folder / f"{samples}-{algorithm}"
        settings: dict[str, Any] = {"samples": samples, "steps": 2, "algorithm": algorithm, "audited": 3, "out": out}
        return " ".join(gevaldi.compare(small(0), small(1), generator, **settings).run.record["warnings"])

    assert "4 searches start from 3 pictures" in warnings(4)
    assert "searches start from" not in warnings(3) + warnings(4, "langevin")


def test_of_many_pictures_some_are_chosen_evenly(folder: Path) -> None:
    assert [label.id for label in load_generator(named(folder, ",count=2")).conditions] == [WNIDS[0], WNIDS[2]]
    assert len(load_generator(named(folder, ",count=50")).conditions) == 3


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("autoencoder:taesd,pictures=folder:pictures", SpecError, "names no autoencoder"),
        ("autoencoder:python:models.py:half,pictures=folder:pictures", SpecError, "methods encode"),
        ("autoencoder:python:models.py:make,pictures=folder:pictures,radius=0", SpecError, "above zero"),
        ("autoencoder:python:models.py:make", SpecError, "needs pictures"),
        ("autoencoder:python:models.py:make,pictures=folder:nowhere", DataError, "no pictures"),
        ("autoencoder:diffusers:nobody/nothing,pictures=folder:pictures", WeightsError, "is not at hand"),
    ],
)
@pytest.mark.filterwarnings("ignore:The `local_dir_use_symlinks`")  # diffusers still says it to the hub's client
def test_what_is_no_autoencoder_is_answered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: Any, words: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(kind, match=words):
        load_generator(name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tiny", "kl"])
def test_autoencoders_of_diffusers_are_read_from_a_local_folder(folder: Path, kind: str) -> None:
    from diffusers import AutoencoderKL, AutoencoderTiny

    torch.manual_seed(0)
    blocks: dict[str, Any] = {f"{side}_block_out_channels": (8, 8) for side in ("encoder", "decoder")}
    blocks |= {f"num_{side}_blocks": (1, 1) for side in ("encoder", "decoder")}
    module = AutoencoderTiny(**blocks) if kind == "tiny" else AutoencoderKL(block_out_channels=(32,), norm_num_groups=8)
    module.save_pretrained(folder / "model")
    found = load_generator(f"autoencoder:diffusers:{folder / 'model'},pictures=folder:{folder / 'pictures'},size=16")
    assert found.originals is not None
    given = found.originals * 2 - 1
    encoded = module.eval().encode(given)
    latents = encoded.latents if kind == "tiny" else encoded.latent_dist.mode()
    expected = (module.decode(latents).sample / 2 + 0.5).clamp(0, 1)
    z = torch.zeros(3, *found.prior.shape, requires_grad=True)
    pictures = found(z, torch.arange(3))
    assert torch.allclose(pictures, expected, atol=1e-5)
    (gradient,) = torch.autograd.grad(pictures.sum(), z)
    assert (gradient != 0).any()


def test_without_diffusers_the_user_is_told_the_line_that_installs_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"gevaldi\[diffusers\]"):
        load_generator(f"autoencoder:diffusers:x,pictures=folder:{folder / 'pictures'}")
