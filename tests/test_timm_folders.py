"""Models of timm in folders and on the hub, under timm's and transformers' names for them, held against timm and transformers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError, UnknownName, WeightsError
from gevaldi.label_files import ilsvrc_labels

pytestmark = pytest.mark.slow  # importing timm and transformers takes their time
NAMES = ["cat", "dog", "bird", "frog"]
CONFIG = {"input_size": (3, 64, 64), "crop_pct": 0.8, "interpolation": "bicubic", "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}


def photograph(height: int, width: int) -> Image.Image:
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 255, (7, 9, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def as_tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).movedim(-1, 0)[None].float() / 255


def network(classes: int = 4, **config: Any) -> Any:
    import timm

    torch.manual_seed(0)
    made = timm.create_model("test_resnet", num_classes=classes, pretrained_cfg_overlay=CONFIG | config)
    torch.nn.init.normal_(made.get_classifier().weight)
    return made.eval()


def saved(folder: Path, *, kind: bool | str = True, classes: int = 4, **stated: Any) -> Path:
    """A folder as timm writes it."""
    from timm.models import save_for_hf

    save_for_hf(network(classes), str(folder), model_config=stated or None, safe_serialization=kind)  # type: ignore[arg-type]
    return folder


def in_cache(folder: Path, cache: Path) -> None:
    """The same in the cache of the hub's client, as somebody/tiny."""
    snapshot = cache / "models--somebody--tiny" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (cache / "models--somebody--tiny" / "refs").mkdir()
    (cache / "models--somebody--tiny" / "refs" / "main").write_text("a" * 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("models") / "tiny", label_names=NAMES)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)


def is_as_timm_has_it(loaded: Any, folder: Path) -> None:
    import timm
    from timm.data import create_transform, resolve_model_data_config

    official = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = create_transform(**resolve_model_data_config(official), is_training=False)
    for height, width in ((90, 120), (130, 81), (64, 64)):
        picture = photograph(height, width)
        expected = official(transform(picture)[None]).log_softmax(-1).detach()
        assert expected.exp().max() > 0.3
        assert torch.allclose(loaded.official(picture), expected, atol=1e-4)
        assert (loaded(as_tensor(picture)).exp() - expected.exp()).abs().max() < 0.02


WRITTEN: dict[str, Callable[[Path], str]] = {
    "local-dir": lambda folder: f"timm:local-dir:{folder}",
    "local_dir, in capitals": lambda folder: f"timm:LOCAL_DIR:{folder}",
    "a folder": lambda folder: f"timm:{folder}",
    "hf-hub": lambda folder: "timm:hf-hub:somebody/tiny",
    "hf_hub": lambda folder: "timm:hf_hub:somebody/tiny",
    "hf-hub, of a revision": lambda folder: f"timm:hf-hub:somebody/tiny@{'a' * 40}",
    "transformers, a folder": lambda folder: f"transformers:{folder}",
    "transformers, from the hub": lambda folder: "transformers:somebody/tiny",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_name_of_a_model_gives_what_timm_gives(
    folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    in_cache(folder, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    loaded = load_classifier(WRITTEN[name](folder))
    is_as_timm_has_it(loaded, folder)
    assert [label.name for label in loaded.labels] == NAMES
    assert str(loaded.name).startswith("somebody/tiny" if "hub" in name else "tiny")
    assert {Path(path).name for path in loaded.files} >= {"config.json", "model.safetensors"}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [True, False, "both"])
def test_every_way_of_writing_weights_is_read(tmp_path: Path, kind: bool | str) -> None:
    folder = saved(tmp_path / "tiny", kind=kind)
    is_as_timm_has_it(load_classifier(f"timm:local-dir:{folder}"), folder)
    assert [label.name for label in load_classifier(f"timm:{folder}").labels] == ["0", "1", "2", "3"]


def test_what_transformers_writes_of_a_model_of_timm_is_read_by_it(folder: Path, tmp_path: Path) -> None:
    import transformers

    wrapped = transformers.AutoModelForImageClassification.from_pretrained(without_arguments(folder, tmp_path / "plain"))
    wrapped.save_pretrained(tmp_path / "tiny")
    loaded = load_classifier(f"transformers:{tmp_path / 'tiny'}")
    is_as_timm_has_it(loaded, folder)
    assert [label.name for label in loaded.labels] == NAMES
    with pytest.raises(SpecError, match=r"was written by transformers, and timm does not read it: name it transformers:"):
        load_classifier(f"timm:local-dir:{tmp_path / 'tiny'}")


def without_arguments(folder: Path, to: Path) -> Path:
    """The same folder without the number of classes among the arguments, which transformers does not expect there."""
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    stated = json.loads((to / "config.json").read_text())
    stated.pop("model_args", None)
    (to / "config.json").write_text(json.dumps(stated))
    return to


def test_labels_are_those_of_the_configuration(tmp_path: Path) -> None:
    usual = ilsvrc_labels()
    wnids = [str(label.id) for label in usual]
    words = {str(label.id): label.name for label in usual}
    folder = saved(tmp_path / "imagenet", classes=1000, label_names=wnids, label_descriptions=words)
    assert load_classifier(f"timm:{folder}").labels == usual
    folder = saved(tmp_path / "some", label_names=wnids[:4], label_descriptions=words)
    assert load_classifier(f"timm:{folder}").labels == usual[:4]
    folder = saved(tmp_path / "others", classes=1000, label_names=[f"class {i}" for i in range(1000)])
    assert load_classifier(f"timm:{folder}").labels[0].name == "class 0"
    folder = saved(tmp_path / "nameless", classes=1000)
    assert load_classifier(f"timm:{folder}").labels == usual  # as timm has it


def test_weights_of_a_file_or_of_chance_go_into_a_folders_architecture(folder: Path, tmp_path: Path) -> None:
    other = saved(tmp_path / "other")
    state = network().state_dict()
    torch.save({key: value * 1.5 if key.startswith("fc.") else value for key, value in state.items()}, tmp_path / "file.pth")
    x = torch.rand(2, 3, 64, 64)
    usual, filled, chance = (
        load_classifier(f"timm:local-dir:{other}{more}")(x) for more in ("", f",weights={tmp_path / 'file.pth'}", ",weights=random")
    )
    assert not torch.allclose(usual, filled, atol=1e-3)
    assert not torch.allclose(usual, chance, atol=1e-3)


def test_a_processor_in_the_file_that_transformers_5_writes_is_read(tmp_path: Path) -> None:
    import transformers

    small = transformers.ConvNextConfig(hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], num_labels=4)
    transformers.ConvNextForImageClassification(small).save_pretrained(tmp_path)
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": 48}, image_mean=[0.2, 0.3, 0.4])
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": processor.to_dict()}))
    assert not (tmp_path / "preprocessor_config.json").exists()
    picture = photograph(80, 70)
    loaded = load_classifier(f"transformers:{tmp_path}")
    official = transformers.AutoImageProcessor.from_pretrained(tmp_path)(picture, return_tensors="pt")["pixel_values"]
    found = loaded.module.preprocessing(as_tensor(picture))  # type: ignore[union-attr]
    assert found.shape == official.shape == (1, 3, 48, 48)
    assert ((found - official) * loaded.module.preprocessing.std).abs().max() < 2.1 / 255  # type: ignore[union-attr]


def test_names_that_lead_nowhere_are_answered_with_those_that_would(tmp_path: Path, folder: Path) -> None:
    for name, error, words in (
        (
            "local-dir:nowhere",
            WeightsError,
            r"There is no config\.json in 'nowhere'; a folder that timm's save_for_hf\(\) wrote was",
        ),
        ("hf-hub:somebody/else", WeightsError, r"cannot be reached .*hf download somebody/else .* timm:local-dir:FOLDER"),
        ("hf-hub:resnet50", SpecError, "names no model of the Hugging Face hub; timm:hf-hub:OWNER/NAME was expected"),
        ("somebody/else", SpecError, r"timm:local-dir:FOLDER, one of the hub timm:hf-hub:OWNER/NAME"),
        ("ftp:somewhere", SpecError, "timm:local-dir:FOLDER"),
        ("resnet5O", UnknownName, "resnet50"),
    ):
        with pytest.raises(error, match=words):
            load_classifier(f"timm:{name}")
    config, weights = (folder / "config.json").read_bytes(), (folder / "model.safetensors").read_bytes()
    for stated, written, wrong, words in (
        (b"{", weights, WeightsError, r"config\.json cannot be read"),
        (b"[1]", weights, SpecError, "names no architecture that timm knows"),
        (b'{"architecture": "resnot"}', weights, SpecError, "names architecture 'resnot' that timm does not know"),
        (b'{"model_type": "vit"}', weights, SpecError, "Is it transformers:"),
        (config, b"noise", WeightsError, "cannot be loaded: "),
        (config, None, WeightsError, "cannot be loaded: No suitable checkpoints found"),
        (config.replace(b'"num_classes": 4', b'"num_classes": 7'), weights, WeightsError, r"cannot be loaded: .*size mismatch"),
    ):
        broken = tmp_path / "broken"
        broken.mkdir(exist_ok=True)
        (broken / "config.json").write_bytes(stated)
        (broken / "model.safetensors").unlink(missing_ok=True)
        if written is not None:
            (broken / "model.safetensors").write_bytes(written)
        with pytest.raises(wrong, match=words):
            load_classifier(f"timm:local-dir:{broken}")


def test_weights_of_ones_own_are_shown_pictures_of_the_size_and_range_that_they_were_trained_on(tmp_path: Path) -> None:
    theirs = network()
    torch.save(theirs.state_dict(), tmp_path / "net.pt")
    mine = load_classifier(f"timm:test_resnet,weights={tmp_path}/net.pt,classes=4,size=32,mean=0.5,std=[0.5,0.25,0.5]")
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    shown = (pictures - 0.5) / torch.tensor([0.5, 0.25, 0.5]).reshape(3, 1, 1)
    assert torch.allclose(mine(pictures), theirs(shown).log_softmax(1), atol=1e-5)
    with pytest.raises(SpecError, match="a number, a list of three such as"):
        load_classifier("timm:test_resnet,weights=random,std=0")
