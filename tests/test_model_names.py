"""Every row of the table "What you have, and how to name it" in docs/models.md: its files are made, its name is loaded."""

# ruff: noqa: E501  a line a case

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import gevaldi
from gevaldi.classifiers import load_classifier
from gevaldi.generators import load_generator
from gevaldi.models import ModuleClassifier
from gevaldi.pictures import sources

Check = Callable[[str], None]
PAGE = Path(__file__).parents[1] / "docs" / "models.md"
DIGITS = [str(i) for i in range(10)]


def rows() -> dict[str, str]:
    """What people have, and how it is named, without the rows that are headings."""
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("<!-- names:") : page.index("<!-- end of names")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[3:]]
    found = {what: name.strip("`") for what, name, *_ in cells if name not in ("", "|")}
    assert len(found) == sum(not what.startswith("**") for what, *_ in cells), "a row stands twice"
    return found


def network(name: str = "resnet18", classes: int = 10, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    options = {"init_weights": False, "aux_logits": True} if name == "googlenet" else {}
    made: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    return made.eval().requires_grad_(False)


def answers_as(expected: nn.Module, labels: list[str] | None = None) -> Check:
    """The classifier of that name answers as a network, after the preprocessing that it says it has."""

    @torch.no_grad()
    def check(name: str) -> None:
        loaded: Any = load_classifier(name)
        x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        found = loaded(x)
        assert torch.allclose(found, expected(loaded.module.preprocessing(x)).log_softmax(-1), atol=1e-4)
        assert found.shape[1] == len(loaded.labels)
        if labels is not None:
            assert [label.name for label in loaded.labels] == labels

    return check


def prefixed(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


def written(file: str, content: Callable[[dict[str, Tensor]], Any], labels: list[str] | None = DIGITS, classes: int = 10) -> Check:
    """Weights of a network as somebody saved them."""
    made = network(classes=classes)
    torch.save(content(made.state_dict()), file)
    return answers_as(made, labels)


def fine_tuned() -> Check:
    names = [f"kind {i}" for i in range(10)]
    Path("labels.json").write_text(json.dumps({name: i for i, name in reversed([*enumerate(names)])}))
    return written("tuned.pth", lambda state: state, names)


def of_timm(content: Callable[[dict[str, Tensor], dict[str, Tensor]], Any], file: str, classes: int = 10) -> Check:
    """Weights of a network of timm, and of another one beside."""
    torch.manual_seed(0)
    made, other = (timm.create_model("resnet18", num_classes=classes).eval() for _ in range(2))
    found = content(made.state_dict(), other.state_dict())
    save_file(found, file) if file.endswith(".safetensors") else torch.save(found, file)
    return answers_as(made, DIGITS if classes == 10 else None)


def sharded(folder: str) -> Check:
    made = network()
    state, place = made.state_dict(), Path(folder)
    place.mkdir(exist_ok=True)
    keys, places = list(state), {}
    for i, part in enumerate((keys[:40], keys[40:]), start=1):
        save_file({key: state[key].contiguous() for key in part}, place / f"model-{i:05}-of-00002.safetensors")
        places |= dict.fromkeys(part, f"model-{i:05}-of-00002.safetensors")
    (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return answers_as(made, DIGITS)


def with_auxiliary_heads() -> Check:
    made = network("googlenet")
    torch.save(made.state_dict(), "with_aux.pth")
    return answers_as(made, DIGITS)


def whole() -> Check:
    made = network()
    torch.save(made, "whole.pth")
    return answers_as(made, DIGITS)


def seen_otherwise() -> Check:
    torch.save(network().state_dict(), "tuned.pth")

    def check(name: str) -> None:
        from torchvision.transforms._presets import ImageClassification

        x, loaded = torch.rand(1, 3, 90, 100), load_classifier(name)
        own = ImageClassification(crop_size=64, resize_size=73, mean=(0.5,) * 3, std=(0.5,) * 3)
        assert isinstance(loaded, ModuleClassifier)
        assert torch.allclose(loaded.module.preprocessing(x), own(x), atol=1e-5)

    return check


def loads(name: str) -> None:
    assert len(load_classifier(name).labels) == 1000


def folder_of_timm(folder: str = "my-timm") -> Check:
    from timm.models import save_for_hf

    torch.manual_seed(0)
    made = timm.create_model("test_resnet", num_classes=4).eval()
    save_for_hf(made, folder, model_config={"label_names": ["cat", "dog", "eel", "fox"]}, safe_serialization=True)  # type: ignore[arg-type]
    return answers_as(made, ["cat", "dog", "eel", "fox"])


def folder_of_transformers(folder: str = "my-classifier") -> Check:
    import transformers

    torch.manual_seed(0)
    config = transformers.ConvNextConfig(hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 1, 1], num_labels=4)
    made = transformers.ConvNextForImageClassification(config).eval()
    made.save_pretrained(folder)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 64}).save_pretrained(folder)

    class Logits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = made(x).logits
            return found

    return answers_as(Logits())


def in_cache(make: Callable[[str], Check], name: str) -> Check:
    """A folder in the cache of the hub's client, where the conftest of pytest lets it look."""
    check = make("model")
    place = Path("cache", f"models--{name.replace('/', '--')}")
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("a" * 40)
    (place / "snapshots").mkdir()
    Path("model").rename(place / "snapshots" / ("a" * 40))
    return check


def small(classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
    return nn.Sequential(*layers).eval().requires_grad_(False)


def onnx_file(file: str, kind: str = "FLOAT", ends: tuple[str, ...] = (), flag: bool = False, embedding: bool = False) -> Check:
    """The small network as a graph, with what people have at its ends."""
    import onnx
    from onnx import TensorProto, helper

    made, dtype = small(), getattr(TensorProto, kind)
    whole_numbers = kind == "UINT8"
    inner = TensorProto.FLOAT if whole_numbers else dtype
    weights = {f"w{key}": value / 255 if whole_numbers and key == "0.weight" else value for key, value in made.state_dict().items()}
    tensors = [helper.make_tensor(key, inner, value.shape, value.flatten().tolist()) for key, value in weights.items()]
    nodes = [helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT)] if whole_numbers else []
    nodes += [
        helper.make_node("Conv", ["floats" if whole_numbers else "x", "w0.weight", "w0.bias"], ["conv"], strides=[2, 2]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "w4.weight", "w4.bias"], ["logits"], transB=1),
    ]
    last = "logits"
    for operator in ends:
        nodes.append(
            helper.make_node(operator, [last], [operator.lower()], **({"axis": 1} if operator in ("ArgMax", "Softmax") else {}))
        )
        last = operator.lower()
    inputs = [helper.make_tensor_value_info("x", dtype, ["n", 3, 28, 28])]
    outputs = [
        helper.make_tensor_value_info(last, TensorProto.INT64 if "ArgMax" in ends else inner, ["n", 1 if "ArgMax" in ends else 5])
    ]
    if embedding:
        outputs.append(helper.make_tensor_value_info("embedding", inner, ["n", 8]))
    if flag:
        inputs.append(helper.make_tensor_value_info("training", TensorProto.FLOAT, []))
        nodes[-1].output[0] = "before"
        nodes.append(helper.make_node("Add", ["before", "training"], [last]))
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
    return file_answers_as(made, tolerance=5e-2 if whole_numbers else 1e-4)


def file_answers_as(made: nn.Module, labels: list[str] | None = None, tolerance: float = 1e-4, side: int = 28) -> Check:
    @torch.no_grad()
    def check(name: str) -> None:
        loaded = load_classifier(name)
        x = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(1))
        mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if "mean=imagenet" in name else ([0.0] * 3, [1.0] * 3)
        prepared = (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        assert (loaded(x) - made(prepared).log_softmax(-1)).abs().max() < tolerance
        if labels is not None:
            assert [label.name for label in loaded.labels] == labels

    return check


def labelled_onnx() -> Check:
    onnx_file("net.onnx")
    Path("labels.json").write_text('{"0": "ant", "1": "bee", "2": "cat", "3": "dog", "4": "eel"}')
    return file_answers_as(small(), ["ant", "bee", "cat", "dog", "eel"])


def archive() -> Check:
    made = small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(made), "net.pt")
    return file_answers_as(made, side=64)


def program() -> Check:
    made = small()
    torch.export.save(
        torch.export.export(made, (torch.rand(2, 3, 28, 28),), dynamic_shapes=({0: torch.export.Dim("n")},)), "net.pt2"
    )
    return file_answers_as(made)


PYTHON = """
import torch
from torch import nn

import gevaldi


def make(classes=10, name="mine"):
    torch.manual_seed(0)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(784, classes)), labels=classes, name=name)


def decoder():
    net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4)))
    return gevaldi.generator(net, latent=3, output_range=(-1, 1))


class Colour(nn.Module):
    low = 0

    def encode(self, x):
        return nn.functional.avg_pool2d(x, 8)

    def decode(self, z):
        return nn.functional.interpolate(z, scale_factor=8)


class Tanh(Colour):
    def decode(self, z):
        return super().decode(z).clamp(-0.999, 0.999)


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.AvgPool2d(8), nn.Upsample(scale_factor=8)


class Vae(nn.Module):
    def encode(self, x):
        mean = nn.functional.avg_pool2d(x.view(-1, 1, 32, 32), 8).flatten(1)
        assert x.shape[1] == 1024
        return mean, mean * 0 - 1

    def decode(self, z):
        return nn.functional.interpolate(z.view(-1, 1, 4, 4), scale_factor=8).flatten(1)
"""


def models(classes: int = 10, named: str = "mine", file: str = "models.py") -> Check:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(PYTHON)

    def check(name: str) -> None:
        loaded = load_classifier(name)
        assert (len(loaded.labels), loaded.name) == (classes, named)
        torch.manual_seed(0)
        x, net = torch.rand(2, 1, 28, 28), nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
        assert torch.allclose(loaded(x), net(x).log_softmax(-1), atol=1e-6)

    return check


def decoder() -> Check:
    Path("models.py").write_text(PYTHON)

    def check(name: str) -> None:
        made = load_generator(name)(torch.full((2, 3), 9.0), torch.zeros(2, dtype=torch.long))
        assert made.shape == (2, 1, 4, 4)
        assert made.min() >= 0
        assert made.max() <= 1

    return check


def autoencoder(channels: int = 3, model: Callable[[], object] = lambda: None) -> Check:
    """Pictures of flat blocks, which the autoencoders of `PYTHON` give back exactly."""
    Path("models.py").write_text(PYTHON)
    Path("pictures").mkdir()
    for i in range(4):
        blocks = np.random.default_rng(i).integers(10, 245, (4, 4, channels), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(blocks.squeeze()).save(f"pictures/{i}.png")
    model()

    def check(name: str) -> None:
        found: Any = load_generator(name)
        assert found.originals.shape == (4, channels, 32, 32)
        made = found(torch.zeros(4, *found.prior.shape), torch.arange(4))
        assert made.shape == found.originals.shape
        if "diffusers" not in name:
            assert torch.allclose(made, found.originals, atol=1e-2)

    return check


def vae_of_diffusers() -> None:
    from diffusers import AutoencoderTiny

    sides: dict[str, Any] = {f"{side}_block_out_channels": (8, 8) for side in ("encoder", "decoder")}
    AutoencoderTiny(**sides, num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)).save_pretrained("my-vae")


def pipeline() -> Check:
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline, UNet2DModel

    ways = {"down_block_types": ("DownBlock2D",), "up_block_types": ("UpBlock2D",), "block_out_channels": (8,)}
    unet = UNet2DModel(sample_size=8, layers_per_block=1, norm_num_groups=4, num_class_embeds=1000, **ways)
    ConsistencyModelPipeline(unet, CMStochasticIterativeScheduler()).save_pretrained("my-pipeline")

    def check(name: str) -> None:
        found = load_generator(name)
        assert isinstance(found, gevaldi.Generator)
        assert found(torch.randn(1, *found.prior.shape), torch.zeros(1, dtype=torch.long)).shape == (1, 3, 8, 8)

    return check


def pictures(classes: dict[str, str | None], **texts: str) -> Check:
    """Pictures by path, with the classes that are expected, and texts beside them."""
    for i, path in enumerate(classes):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 10 * i, np.uint8)).save(path)
    for path, text in texts.items():
        Path(path).write_text(text)

    def check(name: str) -> None:
        found = sources.load(name)
        expected = {path: shown for path, shown in classes.items() if shown != "elsewhere"}
        assert {
            Path(str(path)).as_posix(): shown for path, shown in zip(found.pictures.paths, found.classes, strict=True)
        } == expected

    return check


def mnist() -> Check:
    from bundled.test_mnist import write_test_part

    Path("mnist").mkdir()
    labels = np.arange(20, dtype=np.uint8) % 10
    write_test_part(Path("mnist"), np.zeros((20, 28, 28), np.uint8), labels)

    def check(name: str) -> None:
        assert sources.load(name).classes == [str(label) for label in labels]

    return check


LEFT = {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "epoch": 3}
CAT, DOG = "n02123045", "n02085620"
MAKERS: dict[str, Callable[[], Check]] = {
    "a .pth file: the state dict of a torchvision network": lambda: written("net.pth", lambda state: state, None, 1000),
    "a .safetensors file of a timm network": lambda: of_timm(lambda state, other: state, "net.safetensors", 1000),
    "a network fine-tuned to 10 classes": fine_tuned,
    "the same, without names": lambda: of_timm(lambda state, other: state, "tuned.pth"),
    'a training checkpoint: `{"epoch": ..., "state_dict": ..., "optimizer": ...}`': lambda: written("checkpoint.pth.tar", lambda state: {"state_dict": state} | LEFT),
    "one of a compiled, parallel or sharded network": lambda: written("compiled.pt", lambda state: prefixed(state, "module._orig_mod.")),
    "a Lightning checkpoint": lambda: written("last.ckpt", lambda state: {"state_dict": prefixed(state, "model."), "pytorch-lightning_version": "2.5.0", "optimizer_states": [LEFT]}),
    "a timm checkpoint with EMA weights": lambda: of_timm(lambda state, other: {"state_dict": other, "state_dict_ema": state, "arch": "resnet18"}, "model_best.pth.tar"),
    "the same, but its raw weights": lambda: of_timm(lambda state, other: {"state_dict": state, "state_dict_ema": other, "arch": "resnet18"}, "model_best.pth.tar"),
    "several sets that fit, such as student and teacher": lambda: written("distilled.pth", lambda state: {"student": state, "teacher": network(seed=1).state_dict()}),
    "sharded safetensors": lambda: sharded("."),
    "the folder in which they lie": lambda: sharded("shards"),
    "a network that was pickled whole": whole,
    "a network with auxiliary heads, for training only": with_auxiliary_heads,
    "weights that saw their pictures otherwise": seen_otherwise,
    "no weights yet": lambda: loads,
    "a folder that timm's `save_for_hf()` wrote": folder_of_timm,
    "a timm model on the hub": lambda: in_cache(folder_of_timm, "owner/name"),
    "a folder that transformers' `save_pretrained()` wrote": folder_of_transformers,
    "a transformers model on the hub": lambda: in_cache(folder_of_transformers, "owner/classifier"),
    "ONNX, trained on ImageNet's mean and deviation": labelled_onnx,
    "ONNX that ends in a softmax": lambda: onnx_file("softmax.onnx", ends=("Softmax",)),
    "ONNX in 8-bit integers": lambda: onnx_file("uint8.onnx", "UINT8"),
    "ONNX with several outputs": lambda: onnx_file("two.onnx", embedding=True),
    "ONNX that ends in the number of the class": lambda: onnx_file("number.onnx", ends=("ArgMax",)),
    "ONNX with other inputs, such as a flag": lambda: onnx_file("flag.onnx", flag=True),
    "ONNX in bfloat16, or in double precision": lambda: onnx_file("double.onnx", "DOUBLE"),
    "a TorchScript archive": archive,
    "a program that `torch.export.save` wrote": program,
    "a function in a file that returns a classifier": models,
    "the same with arguments": lambda: models(classes=3),
    "a function in an installed package": lambda: models(file="my_package/models.py"),
    "a decoder, in a Python file": decoder,
    "an autoencoder with `encode` and `decode`": autoencoder,
    "one with an `encoder` and a `decoder`": autoencoder,
    "one of grey pictures, as rows of numbers, that encodes to (mu, logvar)": lambda: autoencoder(channels=1),
    "one that decodes to [-1, 1], as tanh does": autoencoder,
    "an autoencoder of diffusers": lambda: autoencoder(model=vae_of_diffusers),
    "a diffusion pipeline": pipeline,
    "`DIR/CLASS/x.jpg`, any depth, links": lambda: pictures({"pictures/cat/x.jpg": "cat", "pictures/dog/pug/y.png": "dog"}),
    "`DIR/CLASS/images/x.jpg`, as tiny-imagenet has them": lambda: pictures({f"tiny/train/{CAT}/images/x.JPEG": CAT, f"tiny/train/{DOG}/images/y.JPEG": DOG}),
    "`DIR/n01530575_1.jpg`, also below other folders": lambda: pictures({f"val/{CAT}_1.jpg": CAT, f"val/more/{DOG}_7.jpg": DOG}),
    "`DIR/n02085620-Chihuahua/x.jpg`": lambda: pictures({f"dogs/{DOG}-Chihuahua/x.jpg": f"{DOG}-Chihuahua", "dogs/n02085782-Japanese/y.jpg": "n02085782-Japanese"}),
    "a list of classes: `file,label` in CSV, TSV, text or JSON": lambda: pictures({"listed/x.png": "cat", "listed/y.png": "dog"}, **{"listed/labels.csv": "file,label\nx.png,cat\ny.png,dog\n"}),
    "tiny-imagenet's val, with its list": lambda: pictures({"tiny/val/images/val_0.JPEG": CAT}, **{"tiny/val/val_annotations.txt": f"val_0.JPEG\t{CAT}\t0\t32\t44\t62"}),
    "pictures without classes": lambda: pictures({"unsorted/a/x.png": None, "unsorted/y.png": None}),
    "`DIR/train/CLASS`, `DIR/val/CLASS`": lambda: pictures({"split/train/cat/x.png": "elsewhere", "split/val/cat/y.png": "cat", "split/val/dog/z.png": "dog"}),
    "classes that are called train and val": lambda: pictures({"signs/train/x.png": "train", "signs/val/y.png": "val"}),
    "MNIST's idx files": mnist,
    "a path with a comma": lambda: written("old, best.pth", lambda state: state),
    "a folder with commas and quotes in its name": lambda: pictures({'the "best", 2024/x.png': None}),
    "a name that is a number": lambda: models(named="007"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", rows())
def test_what_people_have_is_loaded_under_the_name_that_the_page_gives_it(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    MAKERS[what]()(rows()[what])


def test_every_row_has_its_files_and_no_files_are_left_over() -> None:
    assert list(rows()) == list(MAKERS)


def test_links_within_the_page_lead_to_its_headings() -> None:
    page = PAGE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in page.splitlines() if line.startswith("#")
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings
