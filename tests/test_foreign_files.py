"""Files of models from strangers: nothing in them runs that nobody allowed, and what is damaged is answered in one sentence."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from conftest import called
from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError, WeightsError
from gevaldi.generators import load_generator
from hostile._files import Bomb, script
from hostile.case import CANARY
from hostile.folders import ATTACKS, AUTOENCODER, autoencoder, case_of, classifier, pipeline
from hostile.torchscript import hostile_archive

EACH = [(base, attack) for base, attacks in ATTACKS.items() for attack in attacks]
HARMLESS = ("attention_of_the_hub",)  # what it names is not used, and the network works without


@pytest.mark.parametrize("seed", range(6))
def test_a_torchscript_archive_overwrites_no_file_unless_it_is_allowed_to_run(tmp_path: Path, seed: int) -> None:
    precious, path = tmp_path / "precious", tmp_path / "net.pt"
    precious.write_bytes(b"precious")
    hostile_archive(random.Random(seed), path, str(precious))
    for words in ("", ",pickle=false", ",size=28"):
        with pytest.raises(WeightsError, match=r"net\.pt was not read: TorchScript is code, which .*pickle=true"):
            load_classifier(f"torchscript:{path}{words}")
    for source in ("torchvision:squeezenet1_1", "timm:resnet18"):
        with pytest.raises(WeightsError):
            load_classifier(f"{source},weights={path}")
    assert precious.read_bytes() == b"precious"
    load_classifier(f"torchscript:{path},pickle=true,size=28")
    assert precious.read_bytes() == b"\7\7\7\7ious"  # so that the archive is one that writes


def test_a_torchscript_archive_that_is_allowed_to_run_gives_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(script())
    assert len(load_classifier(f"torchscript:{tmp_path / 'net.pt'},pickle=true,size=28").labels) == 10


@pytest.mark.slow  # because diffusers is imported
@pytest.mark.parametrize(("base", "attack"), EACH, ids=[f"{base.__name__}-{attack.__name__}" for base, attack in EACH])
def test_a_folder_that_comes_with_code_or_pickles_runs_none(
    tmp_path: Path, base: Callable[[], Path], attack: Callable[[Path, Path], None]
) -> None:
    shutil.copytree(base(), tmp_path / "model")
    attack(tmp_path / "model", tmp_path)
    done = called(tmp_path, *case_of(base).words)
    assert not (tmp_path / CANARY).exists()
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if attack.__name__ in HARMLESS else 2), done.stderr


@pytest.mark.slow
def test_folders_are_refused_before_anything_that_they_name_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for base, name, words in (
        (pipeline, "module_of_a_part", r"comes with code, unet/my_unet\.py, which is never run"),
        (pipeline, "module_in_the_current_folder", r"The unet of diffusers:model is a planted\.UNet2DModel, which is not known"),
        (pipeline, "another_library", r"The unet of diffusers:model is a os\.system, which is not known"),
        (autoencoder, "autoencoder_that_is_a_pipeline_without_code", "is a DiffusionPipeline, which is not known here; known are"),
    ):
        shutil.rmtree("model", ignore_errors=True)
        shutil.copytree(base(), "model")
        next(attack for attack in ATTACKS[base] if attack.__name__ == name)(Path("model"), tmp_path)
        with pytest.raises((WeightsError, SpecError), match=words):
            load_generator("diffusers:model" if base is pipeline else AUTOENCODER)
        assert not Path(CANARY).exists()


@pytest.mark.slow
def test_the_same_folders_work_as_they_were_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for base, load in (
        (pipeline, lambda: load_generator("diffusers:model")),
        (autoencoder, lambda: load_generator(AUTOENCODER)),
        (classifier, lambda: load_classifier("transformers:model")),
    ):
        shutil.rmtree("model", ignore_errors=True)
        shutil.copytree(base(), "model")
        assert load()


def hub_cache(folder: Path, name: str, file: str, content: bytes) -> Path:
    """The cache of the hub's client on this machine, with one file of one model."""
    snapshot = folder / f"models--{name.replace('/', '--')}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / file).write_bytes(content)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    return folder


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("content", ["noise", "cut", "empty", "pickle", "legacy pickle"])
def test_damaged_or_hostile_weights_in_the_cache_of_timms_hub_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: str
) -> None:
    import timm
    from huggingface_hub import constants
    from safetensors.torch import save

    whole = save(timm.create_model("resnet18", pretrained=False).state_dict())
    for kind in ("pickle", "legacy pickle"):
        torch.save({"x": Bomb(tmp_path / CANARY)}, tmp_path / kind, _use_new_zipfile_serialization=kind == "pickle")
    contents = {"noise": b"noise" * 100, "cut": whole[: len(whole) // 2], "empty": b""}
    made = contents.get(content) if content in contents else (tmp_path / content).read_bytes()
    assert made is not None
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub_cache(tmp_path / "hub", "timm/resnet18.a1_in1k", file, made)))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = called(tmp_path, "compare", "timm:resnet18.a1_in1k", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
    assert done.returncode == 2
    assert "The weights of timm:resnet18.a1_in1k are not at hand: they could not be fetched from" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / CANARY).exists()


@pytest.mark.parametrize("place", ["../secret.bin", "/etc/passwd", "/dev/zero", "pipe", "link", "none.bin"])
def test_onnx_files_read_no_weights_outside_their_folder_and_none_that_are_no_files(tmp_path: Path, place: str) -> None:
    import os

    from onnx import TensorProto

    from hostile.onnx import digits

    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(31_360))
    (folder / "link").symlink_to(tmp_path / "secret.bin")
    os.mkfifo(folder / "pipe")
    model = digits()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=place)
    (folder / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match=r"net\.onnx .*is not a whole ONNX file"):
        load_classifier(f"onnx:{folder / 'net.onnx'}")


def test_a_number_of_labels_is_compared_with_the_classes_before_so_many_are_made(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(script())
    done = called(
        tmp_path,
        "compare",
        "torchscript:net.pt,pickle=true,size=28,labels=100000000000",
        "bundled:mnist-pooled",
        "-g",
        "bundled:mnist-vae",
    )
    assert done.returncode == 2
    assert "gives 10 classes, but there are 100000000000 labels" in " ".join(done.stderr.split())


def test_names_of_classes_too_deep_for_json_are_refused_in_a_sentence(tmp_path: Path) -> None:
    from hostile.onnx import digits

    model = digits()
    model.metadata_props.add(key="labels", value="[" * 100_000)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SpecError, match=r"gives 10 classes, but there are 1 labels"):
        load_classifier(f"onnx:{tmp_path / 'net.onnx'}")
