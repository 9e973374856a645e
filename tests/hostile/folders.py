"""Folders of diffusers and transformers that come with code, name classes and modules of their own, or are damaged."""

import atexit
import contextlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from hostile._files import Bomb, code, compared, damaged
from hostile.case import CANARY, Case

AUTOENCODER = "autoencoder:diffusers:model,pictures=bundled:mnist-digits,size=16,count=2"


@cache
def pipeline() -> Path:
    """A small pipeline of diffusers on disk."""
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline, UNet2DModel

    ways = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "block_out_channels": (8,)}
    unet = UNet2DModel(sample_size=8, layers_per_block=1, norm_num_groups=4, num_class_embeds=3, **ways)
    return written(ConsistencyModelPipeline(unet, CMStochasticIterativeScheduler()).save_pretrained)


@cache
def autoencoder() -> Path:
    """A small autoencoder of diffusers on disk."""
    from diffusers import AutoencoderTiny

    blocks: dict[str, Any] = {f"{side}_block_out_channels": (8, 8) for side in ("encoder", "decoder")}
    return written(AutoencoderTiny(**blocks, num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)).save_pretrained)


@cache
def classifier() -> Path:
    """A small classifier of transformers on disk."""
    from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextImageProcessor

    config = ConvNextConfig(hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], num_labels=10)
    folder = written(ConvNextForImageClassification(config).save_pretrained)
    ConvNextImageProcessor(size={"shortest_edge": 64}).save_pretrained(folder)
    return folder


def written(save: Callable[[Path], Any]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hostile-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with contextlib.redirect_stderr(io.StringIO()):
        save(folder)
    return folder


@contextlib.contextmanager
def changed(path: Path) -> Iterator[dict[str, Any]]:
    """What a file of JSON holds, written back."""
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))


def module_of_a_part(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["unet"] = ["my_unet", "MyUnet"]
    (model / "unet" / "my_unet.py").write_text(code(canary_folder))


def module_of_the_scheduler(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["scheduler"] = ["my_scheduler", "MyScheduler"]
    (model / "scheduler" / "my_scheduler.py").write_text(code(canary_folder))


def module_in_the_current_folder(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["unet"] = ["planted", "UNet2DModel"]
    (model.parent / "planted.py").write_text(code(canary_folder))


def another_library(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["unet"] = ["os", "system"]


def another_class(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["unet"] = ["diffusers", "AutoModel"]
    with changed(model / "unet" / "config.json") as config:
        config |= {"_class_name": "MyUnet", "auto_map": {"AutoModel": "my_unet.MyUnet"}}
    for place in ("unet/my_unet.py", "my_unet.py"):
        (model / place).write_text(code(canary_folder))


def pipeline_beside(model: Path, canary_folder: Path) -> None:
    (model / "pipeline.py").write_text(code(canary_folder))


def pipeline_in_a_list(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["_class_name"] = ["pipeline", "ConsistencyModelPipeline"]
    (model / "pipeline.py").write_text(code(canary_folder))


def part_more(model: Path, canary_folder: Path) -> None:
    with changed(model / "model_index.json") as index:
        index["helper"] = ["helper", "Helper"]
    (model / "helper").mkdir()
    (model / "helper" / "helper.py").write_text(code(canary_folder))


def pickled_part(model: Path, canary_folder: Path) -> None:
    for weights in (model / "unet").glob("*.safetensors"):
        weights.unlink()
    torch.save({"x": Bomb(canary_folder / CANARY)}, model / "unet" / "diffusion_pytorch_model.bin")


def autoencoder_of_its_own(model: Path, canary_folder: Path) -> None:
    with changed(model / "config.json") as config:
        config |= {"_class_name": "AutoModel", "auto_map": {"AutoModel": "my.MyAutoencoder"}}
    (model / "my.py").write_text(code(canary_folder))


def autoencoder_that_is_a_pipeline(model: Path, canary_folder: Path) -> None:
    with changed(model / "config.json") as config:
        config["_class_name"] = "DiffusionPipeline"
    (model / "model_index.json").write_text((pipeline() / "model_index.json").read_text())
    pipeline_in_a_list(model, canary_folder)


def autoencoder_that_is_a_pipeline_without_code(model: Path, canary_folder: Path) -> None:
    autoencoder_that_is_a_pipeline(model, canary_folder)
    shutil.copy(model / "pipeline.py", model.parent / "pipeline.py")
    (model / "pipeline.py").unlink()


def pickled_autoencoder(model: Path, canary_folder: Path) -> None:
    (model / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({"x": Bomb(canary_folder / CANARY)}, model / "diffusion_pytorch_model.bin")


def classifier_of_its_own(model: Path, canary_folder: Path) -> None:
    with changed(model / "config.json") as config:
        classes = {
            "AutoConfig": "my.MyConfig",
            "AutoModelForImageClassification": "my.MyModel",
            "AutoImageProcessor": "my.MyProcessor",
        }
        config |= {"model_type": "my", "auto_map": classes, "trust_remote_code": True}
    (model / "my.py").write_text(code(canary_folder))


def processor_of_its_own(model: Path, canary_folder: Path) -> None:
    with changed(model / "preprocessor_config.json") as config:
        config |= {"image_processor_type": "MyProcessor", "auto_map": {"AutoImageProcessor": "my.MyProcessor"}}
    (model / "my.py").write_text(code(canary_folder))


def attention_of_the_hub(model: Path, canary_folder: Path) -> None:
    with changed(model / "config.json") as config:
        config |= dict.fromkeys(("attn_implementation", "_attn_implementation_internal", "_attn_implementation"), "nobody/kernel")


def pickled_classifier(model: Path, canary_folder: Path) -> None:
    (model / "model.safetensors").unlink()
    torch.save({"x": Bomb(canary_folder / CANARY)}, model / "pytorch_model.bin")


def pickled_shards(model: Path, canary_folder: Path) -> None:
    (model / "model.safetensors").unlink()
    torch.save({"x": Bomb(canary_folder / CANARY)}, model / "a.bin")
    for name in ("pytorch_model.bin.index.json", "model.safetensors.index.json"):
        (model / name).write_text(json.dumps({"metadata": {}, "weight_map": {"x": "a.bin", "y": "../untouched/precious"}}))


ATTACKS: dict[Callable[[], Path], tuple[Callable[[Path, Path], None], ...]] = {
    pipeline: (
        module_of_a_part,
        module_of_the_scheduler,
        module_in_the_current_folder,
        another_library,
        another_class,
        pipeline_beside,
        pipeline_in_a_list,
        part_more,
        pickled_part,
    ),
    autoencoder: (
        autoencoder_of_its_own,
        autoencoder_that_is_a_pipeline,
        autoencoder_that_is_a_pipeline_without_code,
        pickled_autoencoder,
    ),
    classifier: (classifier_of_its_own, processor_of_its_own, attention_of_the_hub, pickled_classifier, pickled_shards),
}


def case_of(base: Callable[[], Path]) -> Case:
    if base is classifier:
        return compared("transformers:model")
    return compared("bundled:mnist-strided", "diffusers:model" if base is pipeline else AUTOENCODER)


def make(chance: random.Random, folder: Path) -> Case:
    base = chance.choice(list(ATTACKS))
    model = folder / "model"
    shutil.copytree(base(), model)
    (folder / "untouched").mkdir()
    (folder / "untouched" / "precious").write_bytes(b"precious")
    if chance.random() < 0.6:
        chance.choice(ATTACKS[base])(model, folder)
    files = sorted(path for path in model.rglob("*") if path.is_file() and path.suffix != ".py")
    for path in chance.sample(files, chance.choice((0, 0, 1, 2))):
        way = chance.randrange(4)
        if way == 0:
            path.unlink()
        elif way == 1 or path.suffix != ".json":
            path.write_bytes(damaged(path.read_bytes(), chance))
        else:
            path.write_text(json.dumps(another_value(json.loads(path.read_text()), chance)))
    return case_of(base)


def another_value(content: Any, chance: random.Random) -> Any:
    """A configuration of which one value, anywhere, is another."""
    values = (None, 0, -1, 2**31, 10**30, 1.5, "x", "../x", [], {}, [1], True, "é\u202e", "AutoModel", [["a"]], float("nan"))
    if isinstance(content, dict) and content:
        key = chance.choice(list(content))
        return content | {key: another_value(content[key], chance)}
    if isinstance(content, list) and content and chance.random() < 0.5:
        place = chance.randrange(len(content))
        return [*content[:place], another_value(content[place], chance), *content[place + 1 :]]
    return chance.choice(values)
