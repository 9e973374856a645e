"""Classifiers by the names that torchvision and timm give them: names, labels, preprocessing, weights; nothing is downloaded."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from timm.data import ImageNetInfo, create_transform, resolve_model_data_config
from torch import nn

from conftest import IMAGENET, needs_imagenet
from gevaldi.classifiers import load_classifier, sources
from gevaldi.classifiers._padding import pad_as_tensorflow
from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.classifiers._timm import preprocessing_as
from gevaldi.errors import MissingExtra, SpecError, UnknownName, WeightsError

PAPERS = ["alexnet", "googlenet", "squeezenet1_0", "squeezenet1_1", "convnext_base"]


def photograph(seed: int, size: tuple[int, int] = (240, 300)) -> Image.Image:
    """A picture with edges and gradients, of 8 bits."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 255, (12, 15, 3), dtype=np.uint8))
    return coarse.resize(size[::-1], Image.Resampling.BICUBIC)


def as_tensor(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).movedim(-1, 0)[None].float() / 255


def test_names_are_listed_without_importing_what_bears_them_and_are_those_of_the_packages() -> None:
    script = (
        "import sys; from gevaldi.classifiers import sources; print(*sources.names()); "
        "assert not {'torch', 'timm', 'torchvision'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    theirs = {f"torchvision:{name}" for name in torchvision.models.list_models(module=torchvision.models)}
    assert {name for name in names if name.startswith("torchvision:")} == theirs
    listed = {name.removeprefix("timm:") for name in names if name.startswith("timm:")}
    assert len(listed & set(timm.list_pretrained())) > 0.95 * len(timm.list_pretrained())


def test_labels_are_the_ids_that_timm_has_for_imagenet() -> None:
    reference = ImageNetInfo()
    for name in ("torchvision:squeezenet1_1", "timm:resnet18.a1_in1k"):
        labels = load_classifier(f"{name},weights=random").labels
        assert [label.id for label in labels] == reference.label_names()


def test_larger_sets_of_classes_keep_their_ids() -> None:
    labels = load_classifier("timm:vit_tiny_patch16_224.augreg_in21k,weights=random").labels
    assert len(labels) == 21_843
    assert sum(label.id == "n01530575" for label in labels) == 1  # the brambling, of all the more names


@pytest.mark.parametrize("name", ["torchvision:convnext_base", "torchvision:swin_t", "torchvision:inception_v3"])
def test_preprocessing_is_that_of_torchvision_on_8_bit_pictures_but_for_rounding(name: str) -> None:
    from gevaldi.classifiers.torchvision import _entry, _preprocessing

    entry = _entry(name.partition(":")[2], "")
    ours, official = _preprocessing(entry.transforms()), entry.transforms()
    for seed in range(3):
        picture = photograph(seed)
        difference = ours(as_tensor(picture))[0] - official(picture)
        assert (difference * ours.std[0]).abs().max() < 2.1 / 255


@pytest.mark.parametrize("name", ["resnet50.a1_in1k", "vit_base_patch16_clip_224.openai_ft_in1k", "mobilenetv3_large_100.ra_in1k"])
def test_preprocessing_is_that_of_timm_on_8_bit_pictures_but_for_rounding(name: str) -> None:
    network = timm.create_model(name.partition(".")[0] if "." not in name else name, pretrained=False)
    ours = preprocessing_as(resolve_model_data_config(network), f"timm:{name}")
    official = create_transform(**resolve_model_data_config(network), is_training=False)
    for seed in range(3):
        picture = photograph(seed)
        difference = ours(as_tensor(picture))[0] - official(picture)
        assert (difference * ours.std[0]).abs().max() < 2.1 / 255


@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:resnet18.a1_in1k"])
def test_the_official_pipeline_is_that_of_the_package_and_agrees_with_ours(name: str) -> None:
    loaded, picture = load_classifier(f"{name},weights=random"), photograph(0)
    assert loaded.official is not None
    if name.startswith("torchvision"):
        transform = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
        with torch.no_grad():
            expected = loaded.module.network(transform(picture)[None]).log_softmax(-1)
        assert torch.equal(loaded.official(picture).detach(), expected)
    assert (loaded.official(picture).exp() - loaded(as_tensor(picture)).exp()).abs().max() < 0.01


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow), "squeezenet1_1"])
def test_a_trained_network_gives_what_it_gives_when_torchvision_itself_loads_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    options = {"init_weights": True} if name != "squeezenet1_1" else {}
    network = torchvision.models.get_model(name, weights=None, **options)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # statistics of one pass, without which random networks of this depth hear nothing or burst
    with torch.no_grad():
        network.train()(torch.rand(4, 3, 299, 299) * 2 - 1)
    state = network.state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *args, **kwargs: state)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = torchvision.models.get_model_weights(name).DEFAULT
    reference, picture = torchvision.models.get_model(name, weights=entry).eval(), photograph(1)
    expected = reference(entry.transforms()(picture)[None]).log_softmax(-1)
    save_file({key: value.clone().contiguous() for key, value in state.items()}, tmp_path / "weights.safetensors")
    for loaded in (
        load_classifier(f"torchvision:{name}"),
        load_classifier(f"torchvision:{name},weights={tmp_path}/weights.safetensors"),
    ):
        assert loaded.official is not None
        assert torch.allclose(loaded.official(picture), expected, atol=1e-4)


def test_preprocessing_passes_gradients_and_grey_pictures_and_squashes_where_it_should() -> None:
    x = torch.rand(2, 1, 40, 60, requires_grad=True)
    squashed = Preprocessing(32, (32, 32), [0.5] * 3, [0.5] * 3, "bicubic", "squash")
    assert squashed(x).shape == (2, 3, 32, 32)
    (gradient,) = torch.autograd.grad(squashed(x).square().sum(), x)
    assert (gradient != 0).float().mean() > 0.9
    reference = torchvision.transforms.v2.functional.resize(x, [32, 32], antialias=True)
    assert (Preprocessing(32, (32, 32), [0.0], [1.0], "bilinear", "squash")(x) - reference).abs().max() < 1e-6


def written(folder: Path, kind: str, network: torch.nn.Module) -> Path:
    state = {key: value.clone().contiguous() for key, value in network.state_dict().items()}
    path = folder / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(state, path)
    else:
        wrapped = {f"module.{key}": value for key, value in state.items()} if kind == "parallel" else state
        torch.save(
            {"plain": state, "nested": {"epoch": 3, "state_dict": state}, "parallel": wrapped, "module": network}[kind], path
        )
    return path


@pytest.mark.parametrize("kind", ["safetensors", "plain", "nested", "parallel"])
def test_weights_from_a_file_are_those_of_the_network_that_wrote_it(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(3)
    network = torchvision.models.squeezenet1_1(weights=None).eval()
    path = written(tmp_path, kind, network)
    loaded = load_classifier(f"torchvision:squeezenet1_1,weights={path}")
    picture = photograph(0, (256, 256))
    official = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()(picture)[None]
    with torch.no_grad():
        assert (loaded(as_tensor(picture)) - network(official).log_softmax(-1)).abs().max() < 0.02
    assert loaded.name == "squeezenet1_1"


def test_a_pickle_is_refused_unless_it_is_asked_for_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, "module", torchvision.models.squeezenet1_1(weights=None))
    with pytest.raises(WeightsError, match="say pickle=true"):
        load_classifier(f"torchvision:squeezenet1_1,weights={path}")
    assert load_classifier(f"torchvision:squeezenet1_1,weights={path},pickle=true").labels


def test_files_that_are_no_weights_are_answered(tmp_path: Path) -> None:
    whole = written(tmp_path, "safetensors", torchvision.models.squeezenet1_1(weights=None))
    (tmp_path / "cut.safetensors").write_bytes(whole.read_bytes()[:1000])
    torch.save({"a": 1}, tmp_path / "numbers.pth")
    (tmp_path / "cut.pth").write_bytes(b"PK" + bytes(100))
    for weights, words in (
        (whole, r"another architecture than SqueezeNet: .*and \d+ more. Are they of torchvision's squeezenet1_0"),
        (tmp_path / "cut.safetensors", "not a whole safetensors file"),
        (tmp_path / "numbers.pth", "holds dict, where a state dict"),
        (tmp_path / "cut.pth", "not a whole PyTorch file|holds more than tensors"),
        (tmp_path / "none.safetensors", "no weights at"),
        (tmp_path, "no weights at"),
    ):
        with pytest.raises(WeightsError, match=words):
            load_classifier(f"torchvision:squeezenet1_0,weights={weights}")


def test_without_a_network_the_user_is_told_what_to_fetch_and_how_to_do_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"alexnet-owt-7be5be79\.pth could not be fetched .*torchvision:alexnet,weights=FILE"):
        load_classifier("torchvision:alexnet")
    monkeypatch.setattr("gevaldi.classifiers.timm._is_cached", lambda hub_id: False)
    with pytest.raises(WeightsError, match=r"hub \(timm/resnet18\.a1_in1k\).*timm:resnet18\.a1_in1k,weights=FILE"):
        load_classifier("timm:resnet18.a1_in1k")
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.partition(" from ")[0] for line in said.err.splitlines() if line.startswith("gevaldi:")] == [
        "gevaldi: fetching weights",
        "gevaldi: fetching timm:resnet18.a1_in1k",
    ]


def test_unknown_names_are_answered_with_the_nearest_and_a_missing_package_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, words in (
        ("torchvision:squeezenet", "squeezenet1_0"),
        ("torchvision:alexnet@IMAGENET1K_V7", "IMAGENET1K_V1"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no torchvision classifier"),
        ("timm:resnt50.a1_in1k", "resnet50.a1_in1k"),
        ("timm:resnet50.a1_in1kk", "resnet50"),
    ):
        with pytest.raises(UnknownName, match=words):
            load_classifier(f"{name},weights=random")
    with pytest.raises(SpecError, match="it gives features"):
        load_classifier("timm:vit_base_patch14_dinov2.lvd142m,weights=random")
    monkeypatch.setattr("gevaldi.classifiers.timm.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gevaldi\[timm\]'"):
        load_classifier("timm:resnet18.a1_in1k")
    assert "bundled" in sources.registry.names()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_classifiers_run_under_their_torchvision_name_and_pass_gradients(name: str) -> None:
    loaded = load_classifier(f"torchvision:{name},weights=random")
    x = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)).requires_grad_()
    log_p = loaded(x)
    assert log_p.exp().sum(1).detach().numpy() == pytest.approx([1, 1], rel=1e-5)
    (gradient,) = torch.autograd.grad(log_p[:, 1:].sum(), x)
    assert (gradient != 0).float().mean() > 0.5
    alone = loaded(x[:1])
    assert torch.allclose(alone.exp(), log_p[:1].exp(), atol=1e-5)


@needs_imagenet
@pytest.mark.slow
def test_real_weights_by_a_torchvision_name_read_real_pictures() -> None:
    assert IMAGENET
    weights = IMAGENET / "imagenet" / "weights" / "squeezenet1_0_deepcompressed.safetensors"
    loaded = load_classifier(f"torchvision:squeezenet1_0,weights={weights}")
    files = sorted((IMAGENET / "imagenet" / "pictures").glob("*.jpg"))[::10]
    with torch.no_grad():
        tops = [loaded(as_tensor(Image.open(io.BytesIO(path.read_bytes())).convert("RGB"))).argmax().item() for path in files]
    right = [loaded.labels[top].id == path.stem.partition("_")[2] for top, path in zip(tops, files, strict=True)]
    assert np.mean(right) > 0.45


def test_preparation_can_be_said_for_weights_from_elsewhere_and_the_official_pipeline_follows() -> None:
    loaded = load_classifier("torchvision:squeezenet1_1,weights=random,mean=0.5,std=[0.5,0.25,0.5],size=128")
    picture = photograph(5)
    assert loaded.official is not None
    assert (loaded.official(picture).exp() - loaded(as_tensor(picture)).exp()).abs().max() < 0.01
    prepared = loaded.module.preprocessing(torch.ones(1, 3, 300, 200))  # type: ignore[union-attr, operator]
    assert prepared.shape == (1, 3, 128, 128)
    assert prepared[0, :, 0, 0].tolist() == [1.0, 2.0, 1.0]


def test_mean_imagenet_brings_its_standard_deviation() -> None:
    usual = load_classifier("torchvision:squeezenet1_1,weights=random")
    for options in ("mean=imagenet", "mean=imagenet,std=imagenet", "mean=[0.485,0.456,0.406],std=[0.229,0.224,0.225]"):
        own = load_classifier(f"torchvision:squeezenet1_1,weights=random,{options}")
        for name, values in usual.named_buffers():
            assert torch.equal(dict(own.named_buffers())[name], values), (options, name)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("mean=[1,2]", "list of three"),
        ("mean=cifar", "or imagenet was expected"),
        ("std=0", "list of three"),
        ("padding=caffe", "torch or tensorflow"),
    ],
)
def test_an_impossible_preparation_is_answered(option: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        load_classifier(f"torchvision:squeezenet1_1,weights=random,{option}")


@pytest.mark.parametrize(("length", "before", "after"), [(224, 0, 1), (7, 1, 1), (8, 0, 1), (225, 1, 1)])
def test_padding_is_that_of_tensorflow(length: int, before: int, after: int) -> None:
    """SAME with a kernel of 3 and a stride of 2: what TensorFlow's guide says of even and odd lengths."""
    conv = nn.Conv2d(1, 1, 3, stride=2, padding=1, bias=False)
    x = torch.rand(2, 1, length, length)
    expected = nn.functional.conv2d(nn.functional.pad(x, (before, after, before, after)), conv.weight, stride=2)
    pad_as_tensorflow(conv)
    assert torch.equal(conv(x), expected)


@needs_imagenet
@pytest.mark.slow
def test_mobilenet_from_tensorflow_knows_the_pictures_with_its_own_preparation() -> None:
    from imagenet_world import pictures

    assert IMAGENET
    weights = IMAGENET / "imagenet" / "weights" / "mobilenet_v2_tf2_fp16.safetensors"
    shown, classes = pictures(IMAGENET, every=5)
    known = {}
    for options in ("", ",mean=0.5,std=0.5,padding=tensorflow"):
        network = load_classifier(f"torchvision:mobilenet_v2,weights={weights}{options}")
        network.to(memory_format=torch.channels_last)
        with torch.no_grad():
            top = torch.cat([network(part.contiguous(memory_format=torch.channels_last)).argmax(1) for part in shown.split(5)])
        known[options] = (top == torch.tensor(classes)).float().mean().item()
    plain, own = known.values()
    assert own > 0.75
    assert own > plain + 0.1
