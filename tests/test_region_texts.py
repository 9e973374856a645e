"""Texts that a text-image network chooses for regions."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest, mannwhitneyu
from torch import Tensor

import gevaldi
from gevaldi.errors import GevaldiError, SpecError, WeightsError
from gevaldi.mass.draws import Draw
from gevaldi.models import Pictures
from gevaldi.regions.discovery import Discovered
from gevaldi.regions.measured import Region, measure
from gevaldi.regions.naming import Naming, clearest, texts_in
from gevaldi.regions.rules import Rule, Table
from gevaldi.regions.text_image import TextImageNetwork, text_image
from test_diffusion import tokenizer
from test_regions import Bars, Tall

TEXTS = ["dark", "bright", "even"]


class Brightness(TextImageNetwork):
    """A text-image network to which a picture is as bright, as dark and as even as its mean says."""

    def texts(self, texts: Sequence[str]) -> Tensor:
        return torch.stack(
            [{"dark": torch.tensor([-1.0, 0]), "bright": torch.tensor([1.0, 0])}.get(t, torch.zeros(2)) for t in texts]
        )

    def pictures(self, pictures: Sequence[Image.Image]) -> Tensor:
        means = torch.tensor([float(np.asarray(picture).mean()) / 255 for picture in pictures])
        return torch.stack([means, 1 - means], 1)


class Grey:
    """Draws of one brightness each."""

    def __init__(self, levels: np.ndarray) -> None:
        self.levels = torch.from_numpy(levels).float()

    def draw(self, indices: Sequence[int]) -> Draw:
        raise NotImplementedError

    def pictures(self, indices: Sequence[int]) -> Iterator[Pictures]:
        yield self.levels[list(indices)][:, None, None, None].expand(-1, 1, 4, 4)


def world(shift: float, half_only: bool = False) -> tuple[Naming, Table]:
    """Disagreements are darker than agreements by a shift; with `half_only`, only in the half that chooses."""
    rng, n = np.random.default_rng(1), 4_000
    differ = rng.random(n) < 0.1
    levels = 0.5 + 0.1 * rng.standard_normal(n)
    levels -= shift * differ * ((not half_only) | (np.arange(n) % 2 == 0))
    zeros = np.zeros(n, int)
    table = Table(np.arange(n), zeros - 1, zeros, differ.astype(int), np.zeros((n, 0)), ())
    parts = table.select(np.arange(n) % 2 == 0), table.select(np.arange(n) % 2 == 1)
    return Naming(Brightness("brightness", None, None), TEXTS, Grey(levels.clip(0, 1)), *parts), parts[1]


def region_of(table: Table) -> Region:
    (region,) = measure([Discovered(0, 1, Rule("first", 0))], table)
    return region


def test_the_text_that_fits_is_chosen_with_the_share_of_pairs_that_scipy_counts() -> None:
    naming, measuring = world(0.2)
    (text,) = naming.named(region_of(measuring)).texts
    levels = (naming.source.levels.numpy()[measuring.index] * 255).round()  # type: ignore[attr-defined]
    own, others = (levels[mask][:50] for mask in (measuring.differ, ~measuring.differ))
    assert text.text == "dark"
    assert text.larger == pytest.approx(mannwhitneyu(-own, -others).statistic / 50**2, abs=0.01)


def test_a_text_that_fits_only_where_it_was_chosen_is_not_reported() -> None:
    naming, measuring = world(0.2, half_only=True)
    assert naming.named(region_of(measuring)).texts == ()


def test_a_region_like_its_surroundings_has_no_text() -> None:
    naming, measuring = world(0.0)
    assert naming.named(region_of(measuring)).texts == ()


def test_where_no_text_fits_better_there_is_one_in_at_most_five_per_cent_of_regions() -> None:
    rng, reported = np.random.default_rng(0), 0
    for _ in range(300):  # which show a rate of 12 % nine times of ten; without the correction for three texts it is as much
        reported += bool(clearest(*[(rng.standard_normal((20, 144)), rng.standard_normal((20, 144))) for _ in range(2)]))  # type: ignore[misc]
    assert binomtest(reported, 300, 0.05, alternative="greater").pvalue > 0.001


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of random weights."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    folder = tmp_path_factory.mktemp("clip")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, "vocab_size": 80, "max_position_embeddings": 20, "eos_token_id": 59, "bos_token_id": 58}
    config = CLIPConfig(text_config=text, vision_config={**sizes, "image_size": 16, "patch_size": 8}, projection_dim=8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=16), tokenizer(folder)).save_pretrained(folder)
    return folder


def test_a_clip_of_transformers_fits_texts_to_pictures_as_it_does_itself(clip: Path) -> None:
    from transformers import CLIPModel, CLIPProcessor

    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)) for _ in range(40)]
    network = text_image(f"transformers:{clip}")
    model, processor = CLIPModel.from_pretrained(clip).eval(), CLIPProcessor.from_pretrained(clip)
    with torch.no_grad():
        theirs = model(**processor(text=TEXTS, images=pictures, return_tensors="pt", padding="max_length"))
    ours = network.pictures(pictures) @ network.texts(TEXTS).T
    torch.testing.assert_close(ours, theirs.logits_per_image / model.logit_scale.exp(), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_regions_are_described_by_a_network_in_a_folder(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("# ours\n\nwide\nnarrow\nwide\n")
    pair = gevaldi.compare(Tall(), Tall(plant=True), Bars(), out=tmp_path / "run", samples=1, steps=1, audited=10, progress=False)
    found = pair.regions(4_000, name_with=f"transformers:{clip}", texts=tmp_path / "texts.txt", progress=False)
    (region,) = found.record["regions"]
    assert {text["text"] for text in region["texts"]} <= {"wide", "narrow"}
    named = [sentence for sentence in region["sentences"] if "text-image network" in sentence]
    assert len(named) == bool(region["texts"])
    assert Path(pair.report()).exists()


def test_texts_are_many_and_each_once() -> None:
    texts = texts_in()
    assert len(texts) == len(set(texts)) > 100


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("timm:resnet18", SpecError, "transformers:openai/clip"),
        ("transformers:no/such-network", WeightsError, "hf download no/such-network"),
        ("transformers:FOLDER", WeightsError, "no config.json"),
    ],
)
def test_a_name_of_no_text_image_network_says_what_to_do(name: str, error: type[GevaldiError], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        text_image(name.replace("FOLDER", str(tmp_path)))


def test_a_network_without_texts_is_refused(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    ViTModel(ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)).save_pretrained(tmp_path)
    ViTImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(SpecError, match="a text-image network was expected"):
        text_image(f"transformers:{tmp_path}")


def test_a_file_of_one_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("# none\nonly one\n")
    with pytest.raises(SpecError, match="1 texts"):
        texts_in(tmp_path / "texts.txt")
    with pytest.raises(SpecError, match="cannot be read"):
        texts_in(tmp_path / "none.txt")
