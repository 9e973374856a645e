"""Image classifiers of transformers: preprocessing, labels, heads and weights, on networks made here; nothing is downloaded."""

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gevaldi.classifiers import load_classifier
from gevaldi.classifiers.transformers import Transformers
from gevaldi.contract import check_classifier
from gevaldi.errors import MissingExtra, SpecError, WeightsError
from gevaldi.label_files import ilsvrc_labels

pytestmark = pytest.mark.slow  # importing transformers takes its time
SIZES = [(240, 300), (301, 233), (97, 150), (64, 64), (513, 400)]
PROCESSORS: dict[str, dict[str, Any]] = {
    "ConvNextImageProcessor": {"size": {"shortest_edge": 224}},
    "ConvNextImageProcessor whole": {"size": {"shortest_edge": 384}},
    "ConvNextImageProcessor odd": {"size": {"shortest_edge": 224}, "crop_pct": 0.95},
    "ConvNextImageProcessor small": {"size": {"shortest_edge": 33}, "resample": 2, "image_mean": [0.1, 0.2, 0.3]},
    "ViTImageProcessor": {},
    "ViTImageProcessor unscaled": {"do_rescale": False, "image_mean": [127.5] * 3, "image_std": [127.5] * 3},
    "ViTImageProcessor raw": {"do_normalize": False, "resample": 3},
    "BitImageProcessor": {"size": {"shortest_edge": 257}},
    "CLIPImageProcessor": {},
    "DeiTImageProcessor": {},
    "MobileNetV1ImageProcessor": {},
    "MobileNetV2ImageProcessor": {"crop_size": {"height": 223, "width": 221}},
    "MobileViTImageProcessor": {"size": {"shortest_edge": 288}},
    "MobileViTImageProcessor padded": {"size": {"shortest_edge": 224}},
    "EfficientNetImageProcessor": {},
    "EfficientNetImageProcessor cropped": {"do_center_crop": True, "rescale_offset": True, "rescale_factor": 1 / 127.5},
    "EfficientNetImageProcessor nearest": {"resample": 0, "include_top": False},
    "LevitImageProcessor": {},
    "PoolFormerImageProcessor": {},
    "PvtImageProcessor": {},
    "BeitImageProcessor": {"do_center_crop": True, "size": {"height": 256, "width": 256}},
    "SegformerImageProcessor": {},
    "SiglipImageProcessor": {},
}


@cache
def photograph(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture with edges and gradients, of 8 bits."""
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (12, 15, 3), dtype=np.uint8))
    return coarse.resize(size[::-1], Image.Resampling.BICUBIC)


def as_tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).movedim(-1, 0)[None].float() / 255


def randomised(network: Any) -> Any:
    """With weights that tell pictures apart, which those after construction hardly do."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "layer_scale" in name:
                parameter.fill_(1.0)
            elif name.startswith("classifier"):
                parameter.normal_()
    return network.eval()


@pytest.fixture(scope="module")
def transformers() -> Any:
    import transformers

    return transformers


@pytest.fixture(scope="module", autouse=True)
def quiet(transformers: Any) -> Iterator[None]:
    transformers.logging.disable_progress_bar()
    yield
    transformers.logging.enable_progress_bar()


@pytest.fixture(scope="module")
def convnext(transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-convnext"
    config = transformers.ConvNextConfig(hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], num_labels=4)
    config.id2label = dict(enumerate(["cat", "dog", "bird", "frog"]))
    randomised(transformers.ConvNextForImageClassification(config)).save_pretrained(folder)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 64}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit_config(transformers: Any) -> dict[str, Any]:
    return {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": 32,
        "patch_size": 8,
    }


def saved(folder: Path, network: Any, processor: Any) -> Path:
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("backend", ["", "Pil"])
@pytest.mark.parametrize("kind", PROCESSORS)
def test_preprocessing_is_that_of_the_packages_processor_on_8_bit_pictures_but_for_rounding(
    transformers: Any, kind: str, backend: str
) -> None:
    from gevaldi.classifiers._transformers import preprocessing_of

    processor = getattr(transformers, kind.partition(" ")[0] + backend)(**PROCESSORS[kind])
    ours = preprocessing_of(processor, "model")
    for size in SIZES:
        picture = photograph(size)
        official = processor(picture, return_tensors="pt")["pixel_values"]
        found = ours(as_tensor(picture))
        assert found.shape == official.shape
        if kind.endswith("nearest") and backend:
            continue  # nearest pixels of PIL and torch are not everywhere the same
        assert ((found - official) * ours.std).abs().max() < 2.1 / 255


SHAPES = [(48, 60), (61, 45), (20, 33), (32, 32)]
DEFAULT = {"dinov2_with_registers": "BitImageProcessor", "hgnet_v2": "ConvNextImageProcessor"}  # as their checkpoints have it
NEVER = {  # whose default settings are refused, and why
    "imagegpt": "by ImageGPTImageProcessor, which is not known here",
    "siglip2": "by Siglip2ImageProcessor, which is not known here",
    "textnet": "without cutting a centre",
    "timm_wrapper": "",  # has no processor of its own, and is tested with timm
}
SMALLER = {"donut-swin": {"size": {"height": 50, "width": 40}}}  # than 2560 x 1920
SETTINGS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "square": {"size": {"height": 40, "width": 40}},
    "not square": {"size": {"height": 30, "width": 44}},
    "one number": {"size": 36},
    "shorter side": {"size": {"shortest_edge": 36}},
    "shorter side, at most the longer": {"size": {"shortest_edge": 36, "longest_edge": 50}},
    "shorter side, at most the longer, which is far": {"size": {"shortest_edge": 36, "longest_edge": 500}},
    "longer side": {"size": {"longest_edge": 50}},
    "within": {"size": {"max_height": 40, "max_width": 50}},
    "cut": {"do_center_crop": True, "crop_size": {"height": 31, "width": 31}},
    "cut to a number": {"do_center_crop": True, "crop_size": 30},
    "cut, not square": {"size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": {"height": 31, "width": 24}},
    "cut to more than there is": {
        "do_center_crop": True,
        "size": {"height": 33, "width": 20},
        "crop_size": {"height": 42, "width": 29},
    },
    "cut only": {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 33, "width": 25}},
    "not cut": {"do_center_crop": False, "size": {"height": 28, "width": 28}},
    "as it comes": {"do_resize": False, "do_center_crop": False},
    "within, and cut": {
        "size": {"max_height": 40, "max_width": 50},
        "do_center_crop": True,
        "crop_size": {"height": 24, "width": 24},
    },
    "limited, and cut": {
        "size": {"shortest_edge": 36, "longest_edge": 50},
        "do_center_crop": True,
        "crop_size": {"height": 28, "width": 28},
    },
    "nearest": {"resample": 0},
    "lanczos": {"resample": 1},
    "bilinear": {"resample": 2},
    "bicubic": {"resample": 3},
    "box": {"resample": 4},
    "hamming": {"resample": 5},
    "not rescaled": {"do_rescale": False},
    "neither": {"do_rescale": False, "do_normalize": False},
    "rescaled otherwise": {"rescale_factor": 1 / 127.5},
    "not normalised": {"do_normalize": False},
    "normalised": {"do_normalize": True},
    "one mean": {"image_mean": [0.1, 0.4, 0.6], "image_std": [0.5, 0.25, 0.2]},
    "padded": {"do_pad": True, "pad_size": {"height": 600, "width": 600}},
    "turned": {"do_flip_channel_order": True},
    "not turned": {"do_flip_channel_order": False},
    "a share": {"size": {"shortest_edge": 36}, "crop_pct": 0.8},
    "a share, and cut": {
        "size": {"shortest_edge": 36},
        "crop_pct": 0.8,
        "do_center_crop": True,
        "crop_size": {"height": 30, "width": 28},
    },
    "a share of both sides": {"size": {"height": 36, "width": 30}, "crop_pct": 0.8},
    "an offset": {"rescale_offset": True, "rescale_factor": 1 / 127.5},
    "divided once": {"include_top": False},
    "whole multiples": {"size_divisor": 7, "do_center_crop": True, "crop_size": {"height": 40, "width": 40}},
    "a thumbnail": {"do_thumbnail": True, "size": {"height": 40, "width": 30}},
    "no thumbnail": {"do_thumbnail": False, "size": {"height": 40, "width": 30}},
    "aligned": {"do_align_long_axis": True, "size": {"height": 40, "width": 30}},
    "the shorter side as PP-LCNet has it": {"resize_short": 41, "crop_size": 24},
    "none as PP-LCNet has it": {"resize_short": None, "crop_size": 24},
    "quantised colours": {"do_color_quantize": False},
}
KINDS = [
    "beit", "bit", "clip", "convnext", "convnextv2", "cvt", "data2vec-vision", "deit", "dinat", "dinov2", "dinov2_with_registers",
    "donut-swin", "efficientnet", "focalnet", "hgnet_v2", "hiera", "ijepa", "imagegpt", "levit", "metaclip_2", "mobilenet_v1",
    "mobilenet_v2", "mobilevit", "mobilevitv2", "perceiver", "poolformer", "pp_lcnet", "pvt", "pvt_v2", "regnet", "resnet",
    "segformer", "shieldgemma2", "siglip", "siglip2", "swiftformer", "swin", "swinv2", "textnet", "timm_wrapper", "vit", "vit_msn",
]  # fmt: skip


def test_every_model_type_with_a_head_for_pictures_is_in_the_table() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KNOWN

    assert set(KINDS) >= set(KNOWN), "add the new ones, and what their processors do"


@cache  # several model types have the same processor
def refusals(processor: str, kind: str | None) -> dict[str, str]:
    """What is said of the settings of a processor that are refused; the others are those of transformers."""
    from transformers import AutoImageProcessor

    from gevaldi.classifiers._transformers import preprocessing_of

    refused: dict[str, str] = {}
    for words, settings in SETTINGS.items():
        stated = {"image_processor_type": processor} | SMALLER.get(kind or "", {}) | settings
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "preprocessor_config.json").write_text(json.dumps(stated))
            official = AutoImageProcessor.from_pretrained(folder)
        try:
            ours = preprocessing_of(official, "model")
        except SpecError as error:
            refused[words] = str(error)
            continue
        for size in SHAPES:
            picture = photograph(size)
            expected = official(picture, return_tensors="pt")["pixel_values"]
            found = ours(as_tensor(picture))
            assert found.shape == expected.shape, words
            assert (((found - expected) * ours.std).abs() * 255).max() < 2.1, words
    return refused


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "timm_wrapper"])
def test_every_setting_of_a_processor_is_computed_as_transformers_does_or_refused(kind: str) -> None:
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    by_backend = IMAGE_PROCESSOR_MAPPING_NAMES.get(kind) or {"torchvision": DEFAULT[kind]}
    refused = refusals(by_backend["torchvision"], kind if kind in SMALLER else None)
    assert all(len(words) < 700 for words in refused.values())
    if kind in NEVER:
        assert NEVER[kind] in refused["as it is"]
    else:
        assert not refused.keys() & {"as it is", "bilinear", "bicubic", "nearest", "not rescaled", "rescaled otherwise", "one mean"}
        assert refused.keys() >= {"lanczos", "box", "hamming"}
        assert "as it comes" in refused or kind == "donut-swin"  # which fills up to one size


@pytest.mark.parametrize("kind", ["convnext", "vit"])
def test_a_folder_gives_what_the_packages_own_model_gives_on_its_own_processors_output(
    transformers: Any, convnext: Path, vit_config: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    folder = convnext
    if kind == "vit":
        network = transformers.ViTForImageClassification(transformers.ViTConfig(**vit_config, num_labels=6))
        folder = saved(tmp_path, randomised(network), transformers.ViTImageProcessor(size={"height": 32, "width": 32}))
    loaded, picture = load_classifier(f"transformers:{folder}"), photograph((80, 100))
    network = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    seen = transformers.AutoImageProcessor.from_pretrained(folder)(picture, return_tensors="pt")
    expected = network(**seen).logits.log_softmax(-1).detach()
    assert loaded.official
    assert torch.allclose(loaded.official(picture), expected, atol=1e-5)
    assert (loaded(as_tensor(picture)).exp() - expected.exp()).abs().max() < 0.02
    assert expected.exp().max() > 1.5 / expected.shape[1]
    x = torch.rand(4, 3, 80, 100, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (gradient,) = torch.autograd.grad(check_classifier(loaded, x, "first classifier")[:, 1:].sum(), x)
    assert (gradient.flatten(1) != 0).any(1).all()
    assert torch.allclose(loaded(x[:1]), loaded(x)[:1], atol=1e-5)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert loaded.name == folder.name


def test_labels_are_those_of_the_configuration_and_get_ids_where_they_are_imagenets(
    transformers: Any, convnext: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from timm.data import ImageNetInfo

    loaded = load_classifier(f"transformers:{convnext}")
    assert [(label.name, label.id) for label in loaded.labels] == [(name, None) for name in ("cat", "dog", "bird", "frog")]
    info = ImageNetInfo()
    names = [info.index_to_description(i, detailed=False) for i in range(1000)]
    config = transformers.ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_labels=1000)
    saved(tmp_path, transformers.ConvNextForImageClassification(config), transformers.ConvNextImageProcessor())
    assert not any(label.id for label in load_classifier(f"transformers:{tmp_path}").labels)
    assert "say labels=imagenet" in capsys.readouterr().err
    assert load_classifier(f"transformers:{tmp_path},labels=imagenet").labels == ilsvrc_labels()
    stated = json.loads((tmp_path / "config.json").read_text()) | {"id2label": dict(enumerate(names)), "label2id": {}}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    assert load_classifier(f"transformers:{tmp_path}").labels == ilsvrc_labels()
    stated |= {"id2label": dict(enumerate(sorted(names)))}
    (tmp_path / "config.json").write_text(json.dumps(stated))
    assert load_classifier(f"transformers:{tmp_path}").labels[0].id is None
    with pytest.raises(SpecError, match="gives 4 classes, but there are 1000 labels"):
        load_classifier(f"transformers:{convnext},labels=imagenet")
    assert capsys.readouterr() == ("", "")


def test_a_checkpoint_without_a_classifier_head_is_refused_and_its_missing_keys_named(
    transformers: Any, vit_config: dict[str, Any], convnext: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path / "vit", transformers.ViTModel(transformers.ViTConfig(**vit_config)), transformers.ViTImageProcessor())
    with pytest.raises(WeightsError, match=r"has no classifier head: keys classifier\.bias, classifier\.weight missing"):
        load_classifier(f"transformers:{tmp_path / 'vit'}")
    for file in convnext.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = {key: value for key, value in load_file(convnext / "model.safetensors").items() if "stages.2" not in key}
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"has no weights: keys convnext\..*, \.\.\. missing"):
        load_classifier(f"transformers:{tmp_path}")
    assert capsys.readouterr() == ("", "")


def test_what_is_no_classifier_of_pictures_is_named(convnext: Path, tmp_path: Path) -> None:
    stated = json.loads((convnext / "config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_bytes((convnext / "preprocessor_config.json").read_bytes())
    for config, words in (
        (
            {"model_type": "detr", "architectures": ["DetrForObjectDetection"]},
            "is a DetrForObjectDetection; an image or audio classifier was",
        ),
        (
            {"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"]},
            "is a SegformerForSemanticSegmentation",
        ),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "is a BertForMaskedLM"),
        ({"model_type": "gpt2"}, "is a gpt2"),
        (stated | {"problem_type": "multi_label_classification"}, "is for multi_label_classification"),
        (stated | {"id2label": {"0": "cat"}, "label2id": {}}, "has 1 classes"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(SpecError, match=words):
            load_classifier(f"transformers:{tmp_path},weights=random")


def test_preprocessing_of_an_unknown_kind_is_refused_with_what_it_is(transformers: Any) -> None:
    from gevaldi.classifiers._transformers import preprocessing_of

    for processor, words in (
        (transformers.DetrImageProcessor(), "by DetrImageProcessor, which is not known here: known are BeitImageProcessor, "),
        (transformers.ViTImageProcessor(resample=1), "with resample=1, which"),
        (transformers.ViTImageProcessor(do_resize=False), "without cutting a centre"),
        (transformers.BitImageProcessor(do_center_crop=False), r"to size=\{'shortest_edge': 224\} without cutting a centre"),
        (transformers.CLIPImageProcessor(do_pad=True), "with do_pad"),
    ):
        with pytest.raises(SpecError, match=words):
            preprocessing_of(processor, "model")


def test_weights_come_from_a_file_or_from_chance_or_from_a_pickle_if_that_is_allowed(convnext: Path, tmp_path: Path) -> None:
    x, expected = torch.rand(2, 3, 64, 64), load_classifier(f"transformers:{convnext}")
    for file in convnext.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(convnext / "model.safetensors")
    assert torch.equal(load_classifier(f"transformers:{tmp_path},weights={convnext / 'model.safetensors'}")(x), expected(x))
    once, again = (load_classifier(f"transformers:{tmp_path},weights=random")(x) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.allclose(once, expected(x))
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="read with pickle=true"):
        load_classifier(f"transformers:{tmp_path}")
    assert torch.equal(load_classifier(f"transformers:{tmp_path},pickle=true")(x), expected(x))
    save_file({key: value.half() for key, value in state.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    assert torch.allclose(load_classifier(f"transformers:{tmp_path}")(x), expected(x), atol=0.05)
    del state["classifier.weight"]
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"another architecture than ConvNext.*Are they of transformers:"):
        load_classifier(f"transformers:{tmp_path},weights={tmp_path / 'other.safetensors'}")


def test_folders_that_are_missing_incomplete_or_damaged_are_answered(convnext: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no folder '\./nothing'"):
        load_classifier("transformers:./nothing")
    with pytest.raises(WeightsError, match=r"There is no config\.json in"):
        load_classifier(f"transformers:{tmp_path}")
    for file in convnext.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes((convnext / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(WeightsError, match="cannot be loaded: "):
        load_classifier(f"transformers:{tmp_path}")
    (tmp_path / "model.safetensors").write_bytes((convnext / "model.safetensors").read_bytes())
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json"):
        load_classifier(f"transformers:{tmp_path}")
    (tmp_path / "preprocessor_config.json").write_bytes((convnext / "preprocessor_config.json").read_bytes())
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="not a valid JSON"):
        load_classifier(f"transformers:{tmp_path}")
    remote = {"model_type": "mine", "auto_map": {"AutoConfig": "code.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(remote))
    (tmp_path / "code.py").write_text("raise SystemExit('code that came with a model was run')")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_classifier(f"transformers:{tmp_path}")


def test_without_a_network_the_user_is_told_at_once_how_to_do_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    with pytest.raises(WeightsError, match=r"hf download microsoft/resnet-50 --local-dir FOLDER.*transformers:FOLDER"):
        load_classifier("transformers:microsoft/resnet-50")
    assert capsys.readouterr().err.count("gevaldi: fetching transformers:microsoft/resnet-50") == 1


def test_what_lies_in_the_hubs_cache_needs_no_network(
    monkeypatch: pytest.MonkeyPatch, convnext: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from huggingface_hub import constants

    snapshot = tmp_path / "models--somebody--tiny" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for file in convnext.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (tmp_path / "models--somebody--tiny" / "refs").mkdir()
    (tmp_path / "models--somebody--tiny" / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("gevaldi.classifiers.transformers.refuse_without_network", lambda: pytest.fail("the hub was asked"))
    x, expected = torch.rand(2, 3, 64, 64), load_classifier(f"transformers:{convnext}")
    loaded = load_classifier("transformers:somebody/tiny")
    assert torch.equal(loaded(x), expected(x))
    assert loaded.name == "somebody/tiny"
    assert capsys.readouterr() == ("", "")


def test_a_missing_package_is_answered_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Transformers().names() == []
    monkeypatch.setattr("gevaldi.classifiers.transformers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gevaldi\[transformers\]'"):
        load_classifier("transformers:microsoft/resnet-50")


def test_a_convnext_of_real_size_runs_and_passes_gradients(transformers: Any, tmp_path: Path) -> None:
    config = transformers.ConvNextConfig(depths=[3, 3, 27, 3], hidden_sizes=[128, 256, 512, 1024], num_labels=1000)
    network = randomised(transformers.ConvNextForImageClassification(config))
    saved(tmp_path, network, transformers.ConvNextImageProcessor(size={"shortest_edge": 224}))
    loaded = load_classifier(f"transformers:{tmp_path},labels=imagenet")
    assert 88e6 < sum(p.numel() for p in loaded.parameters()) < 89e6
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_p = loaded(x)
    assert log_p.exp().sum().item() == pytest.approx(1, rel=1e-4)
    (gradient,) = torch.autograd.grad(log_p[:, 1:].sum(), x)
    assert (gradient != 0).float().mean() > 0.5


def test_weights_with_other_classes_stand_beside_the_configuration_that_they_began_with(
    convnext: Path, transformers: Any, tmp_path: Path
) -> None:
    config = transformers.AutoConfig.from_pretrained(convnext)
    config.num_labels = 3
    network = randomised(transformers.AutoModelForImageClassification.from_config(config))
    torch.save({"state_dict": {f"model.{key}": value for key, value in network.state_dict().items()}}, tmp_path / "a.ckpt")
    (tmp_path / "labels.json").write_text('{"eel": 2, "cat": 0, "dog": 1}')
    name = f"transformers:{convnext},weights={tmp_path / 'a.ckpt'}"
    loaded, x = load_classifier(f"{name},labels={tmp_path / 'labels.json'}"), torch.rand(1, 3, 64, 64)
    assert [label.name for label in loaded.labels] == ["cat", "dog", "eel"]
    with torch.no_grad():
        expected = network(loaded.module.preprocessing(x)).logits.log_softmax(-1)  # type: ignore[union-attr, operator]
        assert torch.allclose(loaded(x), expected, atol=1e-5)
    with pytest.raises(WeightsError, match=r"of 3 classes: .*classes=3"):
        load_classifier(name)
    with pytest.raises(SpecError, match="has 4 classes in its published weights, but 3 were given"):
        load_classifier(f"transformers:{convnext},classes=3")
