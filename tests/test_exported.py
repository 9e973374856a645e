"""Classifiers from files: ONNX, exported programs and TorchScript, held against the networks that were written into them."""

import contextlib
import itertools
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as F

from gevaldi.classifiers import load_classifier
from gevaldi.classifiers._files import FileOptions, FixedBatch
from gevaldi.classifiers._labels import labels_told
from gevaldi.classifiers.exported import Exported
from gevaldi.classifiers.onnx import Onnx
from gevaldi.classifiers.torchscript import Torchscript
from gevaldi.contract import check_classifier
from gevaldi.errors import ContractError, GevaldiError, MissingExtra, SpecError, WeightsError
from gevaldi.label_files import ilsvrc_labels, with_ids
from gevaldi.models import Label

SIDE = 20


def small(classes: int = 5, channels: int = 3) -> nn.Sequential:
    """A network whose biases and statistics all differ, since exporters merge equal tensors."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, classes),
    )
    return distinct(net)


def distinct(net: Any) -> Any:
    for name, tensor in itertools.chain(net.named_parameters(), net.named_buffers()):
        if name.endswith(("bias", "running_mean")):
            nn.init.normal_(tensor, std=0.3)
        if name.endswith("running_var"):
            nn.init.uniform_(tensor, 0.5, 1.5)
    return net.eval().requires_grad_(False)


def pictures(count: int, channels: int = 3, height: int = SIDE, width: int = SIDE) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(count))


def written_onnx(
    net: nn.Module,
    path: Path,
    shape: tuple[int, ...],
    dynamic: bool = False,
    external: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Path:
    batch = {0: torch.export.Dim("batch")} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of exporters are theirs
        program = torch.onnx.export(
            net,
            (torch.rand(shape, dtype=dtype),),
            dynamo=True,
            external_data=external,
            dynamic_shapes=(batch,) if batch else None,
            verbose=False,
        )
        assert program
        program.save(str(path), external_data=external)
    return path


def written_program(net: nn.Module, path: Path, shape: tuple[int, ...], batch: Any = None) -> Path:
    dynamic = ({0: batch},) if batch else None
    torch.export.save(torch.export.export(net, (torch.rand(shape),), dynamic_shapes=dynamic), path)
    return path


def written_script(net: nn.Module, path: Path, shape: tuple[int, ...] | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message="`torch.jit", category=DeprecationWarning)
        torch.jit.save(torch.jit.trace(net, torch.rand(shape)) if shape else torch.jit.script(net), path)
    return path


@pytest.fixture(scope="module")
def net() -> nn.Sequential:
    return small()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, net: nn.Sequential) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    written_script(net, folder / "scripted.pt")
    written_script(net, folder / "traced.ts", (1, 3, SIDE, SIDE))
    return folder


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, net: nn.Sequential) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    written_program(net, folder / "frozen.pt2", (2, 3, SIDE, SIDE))
    written_program(net, folder / "free.pt2", (2, 3, SIDE, SIDE), torch.export.Dim("batch"))
    written_program(net, folder / "few.pt2", (3, 3, SIDE, SIDE), torch.export.Dim("batch", min=2, max=4))
    return folder


@pytest.fixture(scope="module")
def onnx_folder(tmp_path_factory: pytest.TempPathFactory, net: nn.Sequential) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    written_onnx(net, folder / "static.onnx", (1, 3, SIDE, SIDE))
    written_onnx(net, folder / "four.onnx", (4, 3, SIDE, SIDE))
    written_onnx(net, folder / "dynamic.onnx", (2, 3, SIDE, SIDE), dynamic=True)
    return folder


def equals(loaded: Any, net: Callable[[Tensor], Tensor], *shape: int) -> None:
    """In value, for several numbers of pictures, and in the gradient with respect to the pictures."""
    for count in (1, 3, 5):
        x = pictures(count, *shape).requires_grad_()
        expected, found = net(x).log_softmax(-1), loaded(x)
        assert torch.allclose(found, expected, atol=1e-4)
        weights = torch.randn(expected.shape)
        ours, theirs = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (found, expected))
        assert theirs.abs().max() > 1e-4
        assert torch.allclose(ours, theirs, atol=1e-4 * theirs.abs().max().item() + 1e-7)


def is_as_written(spec: str, net: nn.Sequential) -> None:
    loaded = load_classifier(spec)
    equals(loaded, net)
    assert [label.name for label in loaded.labels] == ["0", "1", "2", "3", "4"]
    assert loaded.name == Path(spec.partition(",")[0]).name
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not any(part.training for part in loaded.modules())
    check_classifier(loaded, pictures(4), "first classifier")


@pytest.mark.parametrize("file", ["scripted.pt", "traced.ts"])
def test_an_archive_gives_what_the_network_gives_that_was_written_into_it(folder: Path, net: nn.Sequential, file: str) -> None:
    is_as_written(f"torchscript:{folder / file},pickle=true", net)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["frozen.pt2", "free.pt2", "few.pt2"])
def test_a_program_gives_what_the_network_gives_that_was_written_into_it(programs: Path, net: nn.Sequential, file: str) -> None:
    is_as_written(f"exported:{programs / file},pickle=true", net)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["static.onnx", "four.onnx", "dynamic.onnx"])
def test_an_onnx_file_gives_what_the_network_gives_that_was_written_into_it(
    onnx_folder: Path, net: nn.Sequential, file: str
) -> None:
    is_as_written(f"onnx:{onnx_folder / file}", net)
    loaded = load_classifier(f"onnx:{onnx_folder / file}")
    by_runtime = load_classifier(f"onnx:{onnx_folder / file},gradients=false")
    assert torch.allclose(by_runtime(pictures(3)), loaded(pictures(3)), atol=1e-5)
    assert not by_runtime(pictures(3).requires_grad_()).requires_grad


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "exported", "torchscript"])
def test_a_network_of_torchvision_survives_being_written(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(1)
    net = distinct(torchvision.models.squeezenet1_1(weights=None))
    write: Any = {"onnx": written_onnx, "exported": written_program, "torchscript": written_script}[kind]
    path = write(net, tmp_path / f"net{ {'onnx': '.onnx', 'exported': '.pt2', 'torchscript': '.pt'}[kind] }", (1, 3, 64, 64))
    told = "mean=imagenet,labels=imagenet,size=64" + ("" if kind == "onnx" else ",pickle=true")
    loaded = load_classifier(f"{kind}:{path},{told}")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    equals(loaded, lambda x: net((x - mean) / std), 3, 64, 64)
    assert loaded.labels == ilsvrc_labels()


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 4))
def test_pictures_asked_for_in_parts_give_what_they_give_together(count: int, least: int, more: int) -> None:
    asked: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            asked.append(len(x))
            return x.flatten(1) * 2

    x = pictures(count, 1, 2, 2).requires_grad_()
    found = FixedBatch(Counting(), least + more, least)(x)
    assert torch.equal(found, x.flatten(1) * 2)
    assert all(least <= number <= least + more for number in asked)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert (gradient == 2).all()


def test_options_change_the_pictures_before_the_network_sees_them(folder: Path, net: nn.Sequential) -> None:
    path, x = str(folder / "scripted.pt"), pictures(2)
    mean, std = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1), torch.tensor([0.2, 0.3, 0.1]).view(3, 1, 1)
    usual = [torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    for options, seen in (
        ("scale=255", x * 255),
        ("scale=255,mean=127.5,std=127.5", (x - 0.5) / 0.5),
        ("mean=0.5", x - 0.5),
        ("mean=[0.4,0.5,0.6],std=[0.2,0.3,0.1]", (x - mean) / std),
        ("channels=bgr", x[:, [2, 1, 0]]),
        ("channels=bgr,mean=[0.4,0.5,0.6]", x[:, [2, 1, 0]] - mean),
        ("mean=imagenet", (x - usual[0]) / usual[1]),
        ("mean=imagenet,channels=bgr", ((x - usual[0]) / usual[1])[:, [2, 1, 0]]),
        ("size=10", F.resize(x, [10, 10], antialias=True)),
        ("size=20,resize=24", F.resize(x, [24, 24], antialias=True)[:, :, 2:22, 2:22]),
    ):
        loaded = load_classifier(f"torchscript:{path},pickle=true,{options}")
        assert torch.allclose(loaded(x), net(seen).log_softmax(-1), atol=1e-4), options


def test_what_a_file_gives_is_taken_as_it_was_told(tmp_path: Path, net: nn.Sequential) -> None:
    for output, last in (("probabilities", nn.Softmax(-1)), ("log-probabilities", nn.LogSoftmax(-1))):
        path = written_script(nn.Sequential(net, last).eval(), tmp_path / "net.pt")
        loaded = load_classifier(f"torchscript:{path},pickle=true,output={output}")
        assert torch.allclose(loaded(pictures(2)), net(pictures(2)).log_softmax(-1))


@pytest.mark.slow
def test_a_network_in_half_precision_gets_pictures_in_half_precision(tmp_path: Path) -> None:
    half, x = small().half(), pictures(3)
    written_onnx(half, tmp_path / "half.onnx", (1, 3, SIDE, SIDE), dtype=torch.float16)
    torch.export.save(torch.export.export(half, (x.half(),)), tmp_path / "half.pt2")
    for spec in (f"onnx:{tmp_path / 'half.onnx'}", f"exported:{tmp_path / 'half.pt2'},pickle=true"):
        loaded = load_classifier(spec)
        assert loaded(x).dtype == torch.float32
        assert (loaded(x) - half(x.half()).float().log_softmax(-1)).abs().max() < 0.01
        check_classifier(loaded, x.requires_grad_(), "first classifier")


@pytest.mark.slow
def test_pictures_of_another_size_are_brought_to_that_which_a_program_states(programs: Path, net: nn.Sequential) -> None:
    loaded, x = load_classifier(f"exported:{programs / 'free.pt2'},pickle=true"), pictures(2, 3, 40, 60)
    seen = F.resize(x[..., 10:50], [SIDE, SIDE], antialias=True)
    assert torch.allclose(loaded(x), net(seen).log_softmax(-1), atol=2e-2)
    assert torch.allclose(loaded(x[:, :1]), loaded(x[:, :1].expand(-1, 3, -1, -1)))
    with pytest.raises(SpecError, match="size=30 was given, but the file takes pictures of 20 x 20 only"):
        load_classifier(f"exported:{programs / 'free.pt2'},pickle=true,size=30")


def test_labels_come_from_a_file_a_number_or_imagenet(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = f"torchscript:{folder / 'scripted.pt'},pickle=true"
    names, both = tmp_path / "names.txt", tmp_path / "both.txt"
    names.write_text("cat\ndog\n\nbird\nfrog\nhorse, or pony\n")
    both.write_text("n02084071\tdog\nn02121620\tcat\nn01503061\tbird\nn01639765\tfrog\nn02374451\thorse\n")
    found = load_classifier(f"{spec},labels={names}").labels
    assert [(label.name, label.id) for label in found][::4] == [("cat", None), ("horse, or pony", None)]
    found = load_classifier(f"{spec},labels={both}").labels
    assert (found[1].name, found[1].id) == ("cat", "n02121620")
    assert len(load_classifier(f"{spec},labels=5").labels) == 5
    for labels, words in (
        ("6", r"scripted\.pt gives 5 classes, but there are 6 labels \(labels=6\)"),
        ("imagenet", "gives 5 classes, but there are 1000"),
        (str(tmp_path / "none.txt"), "none.txt cannot be read"),
    ):
        with pytest.raises(SpecError, match=words):
            load_classifier(f"{spec},labels={labels}")
    assert capsys.readouterr().err == ""
    assert [label.name for label in labels_told(None, 1000, "a.onnx")][:2] == ["0", "1"]
    assert "a.onnx has 1000 classes without names; if they are ImageNet's, say labels=imagenet" in capsys.readouterr().err


@pytest.mark.slow
def test_names_are_known_for_imagenets_by_their_order_however_they_are_written() -> None:
    from timm.data import ImageNetInfo

    usual, info = ilsvrc_labels(), ImageNetInfo()
    written = [info.index_to_description(i, detailed=False) for i in range(1000)]  # tench, Tinca tinca
    for names in ([label.name for label in usual], written, [name.partition(",")[0].replace(" ", "_").upper() for name in written]):
        assert with_ids(names) == usual
        assert with_ids(["background", *names]) == (Label("background"), *usual)
    for names in (written[::-1], written[:999], sorted(written), [*written[:500], *(f"other {i}" for i in range(500))]):
        assert not any(label.id for label in with_ids(names))


def test_options_that_do_not_fit_are_answered(folder: Path) -> None:
    script = f"torchscript:{folder / 'scripted.pt'},pickle=true"
    for spec, words in (
        (f"{script},sise=3", "has no option sise. It takes labels=None, size=None, resize=None"),
        (f"{script},size=-1", "size"),
        (f"{script},scale=0", "scale"),
        (f"{script},channels=grb", "channels"),
        (f"{script},output=scores", "output"),
        (f"{script},mean=[0.1,0.2],std=[0.1,0.2,0.3]", "one number each, or one per channel"),
        (f"{script},std=0", "none zero"),
        (f"{script},mean=[]", "one number each"),
        (f"{script},resize=30", "resize=30 was given"),
        (f"{script},resize=10,size=20", "resize=10 was given"),
    ):
        with pytest.raises(SpecError, match=words):
            load_classifier(spec)


DAMAGED = ("cut", "empty", "noise", "no archive")


def damaged(whole: bytes) -> dict[str, bytes]:
    return {"cut": whole[: len(whole) // 2], "empty": b"", "noise": b"hello" * 50, "no archive": b"PK\5\6" + bytes(18)}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_archives_are_answered_with_their_size(tmp_path: Path, folder: Path, kind: str) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(damaged((folder / "scripted.pt").read_bytes())[kind])
    with pytest.raises(WeightsError, match=rf"net\.pt \({path.stat().st_size} bytes\) is not a whole TorchScript archive"):
        load_classifier(f"torchscript:{path},pickle=true")


def test_an_archive_whose_directory_is_damaged_is_answered_too(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes((folder / "scripted.pt").read_bytes().replace(b"PK\1\2", b"PK\1\7"))
    with pytest.raises(WeightsError, match="is not a whole TorchScript archive"):
        load_classifier(f"torchscript:{path},pickle=true")


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_programs_are_answered_with_their_size(tmp_path: Path, programs: Path, kind: str) -> None:
    path = tmp_path / "net.pt2"
    path.write_bytes(damaged((programs / "free.pt2").read_bytes())[kind])
    with pytest.raises(WeightsError, match=rf"net\.pt2 \({path.stat().st_size} bytes\) is not a whole exported program"):
        load_classifier(f"exported:{path},pickle=true")


def test_files_that_are_missing_or_of_another_kind_are_answered(tmp_path: Path, folder: Path, net: nn.Sequential) -> None:
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    for name in ("other.safetensors", "other.pt2"):
        (tmp_path / name).write_bytes(b"")
    for spec, words in (
        (f"torchscript:{tmp_path / 'weights.pt'},pickle=true", "If it holds weights only, name their network"),
        (f"torchscript:{tmp_path / 'none.pt'}", r"There is no file .*none\.pt"),
        (f"torchscript:{tmp_path / 'other.pt2'}", "Is it exported:"),
        (f"onnx:{folder / 'scripted.pt'}", "Is it torchscript:"),
        (f"exported:{tmp_path / 'other.safetensors'}", "weights=FILE"),
    ):
        with pytest.raises(WeightsError, match=words):
            load_classifier(spec)


class Hidden:
    """What a file could hide: it runs when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.trace,)


@pytest.mark.slow
def test_a_program_can_run_anything_and_so_is_not_read_unless_that_is_asked_for(tmp_path: Path, programs: Path) -> None:
    trace = tmp_path / "was-run"
    torch.save((Hidden(trace),), tmp_path / "sample.pt")
    with zipfile.ZipFile(programs / "free.pt2") as old, zipfile.ZipFile(tmp_path / "bad.pt2", "w") as new:
        for entry in old.namelist():
            new.writestr(entry, (tmp_path / "sample.pt").read_bytes() if "sample_inputs" in entry else old.read(entry))
    with pytest.raises(WeightsError, match=r"was not read: torch reads exported programs with pickle.*say exported:.*pickle=true"):
        load_classifier(f"exported:{tmp_path / 'bad.pt2'}")
    assert not trace.exists()
    with contextlib.suppress(GevaldiError):
        load_classifier(f"exported:{tmp_path / 'bad.pt2'},pickle=true")
    assert trace.exists()  # if not so any more, the option can go


@pytest.mark.slow
def test_networks_that_classify_no_pictures_are_answered(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return (x + y).mean((2, 3))

    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x.flip(1)

    one = (torch.rand(1, 3, 8, 8),)
    torch.export.save(torch.export.export(Two(), one * 2), tmp_path / "two.pt2")
    torch.export.save(torch.export.export(Pair(), one), tmp_path / "pair.pt2")
    torch.export.save(torch.export.export(nn.Conv2d(3, 2, 1), one), tmp_path / "maps.pt2")
    torch.export.save(torch.export.export(nn.Linear(8, 2), (torch.rand(1, 8),)), tmp_path / "rows.pt2")
    written_script(nn.Linear(999, 2), tmp_path / "rows.pt")
    for spec, words in (
        (f"exported:{tmp_path / 'two.pt2'},pickle=true", "has 2 inputs"),
        (f"exported:{tmp_path / 'pair.pt2'},pickle=true", "gives a tuple of .* none of them has classes"),
        (f"exported:{tmp_path / 'maps.pt2'},pickle=true", r"gives a tensor of shape \(1, 2, 8, 8\) for one picture"),
        (f"exported:{tmp_path / 'rows.pt2'},pickle=true", r"takes 1 x 8; batch x 1 or 3"),
        (
            f"torchscript:{tmp_path / 'rows.pt'},pickle=true",
            r"fails on all pictures that were tried; on pictures of shape \(3, 224, 224\): RuntimeError: .* Say what it expects",
        ),
    ):
        with pytest.raises(SpecError, match=words):
            load_classifier(spec)


def test_no_source_of_files_lists_names() -> None:
    assert Onnx().names() == Exported().names() == Torchscript().names() == []
    assert set(FileOptions.model_fields) >= {"labels", "size", "mean", "std", "scale", "channels", "output"}


def altered(path: Path, to: Path, change: Callable[[Any], None]) -> Path:
    import onnx

    model = onnx.load(str(path))
    change(model)
    onnx.save(model, str(to))
    return to


def chain(path: Path, *operators: tuple[str, dict[str, Any]], domain: str = "") -> Path:
    """A graph of pictures through these operators to the mean of each channel."""
    from onnx import TensorProto, helper

    names = ["input", *(f"x{i}" for i in range(len(operators)))]
    nodes = [
        helper.make_node(kind, [a], [b], domain=domain if kind == "Odd" else "", **how)
        for (kind, how), a, b in zip(operators, names, names[1:], strict=False)
    ]
    nodes += [helper.make_node("GlobalAveragePool", [names[-1]], ["pooled"]), helper.make_node("Flatten", ["pooled"], ["output"])]
    shapes = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("input", ["batch", 3, 8, 8]), ("output", ["batch", 3]))
    ]
    graph = helper.make_graph(nodes, "chain", shapes[:1], shapes[1:])
    imports = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
    path.write_bytes(helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString())
    return path


@pytest.mark.slow
def test_an_operator_without_a_gradient_is_named_together_with_the_way_out(tmp_path: Path) -> None:
    rounded = chain(tmp_path / "round.onnx", ("Round", {}))
    with pytest.raises(
        SpecError, match=r"No gradient passes through round\.onnx, because of Round .*surrogate:\(onnx:.*gradients=false\)"
    ):
        load_classifier(f"onnx:{rounded}")
    cast = chain(tmp_path / "cast.onnx", ("Cast", {"to": 7}), ("Cast", {"to": 1}))
    with pytest.raises(SpecError, match="because of Cast to integers on"):
        load_classifier(f"onnx:{cast},scale=255")
    assert load_classifier(f"onnx:{cast},scale=255,gradients=false")(pictures(2, 3, 8, 8)).shape == (2, 3)
    assert load_classifier(f"onnx:{chain(tmp_path / 'sine.onnx', ('Sin', {}))}").labels
    with pytest.raises(SpecError, match="it seems to give the same for all pictures"):
        load_classifier(f"onnx:{chain(tmp_path / 'zero.onnx', ('Clip', {}), ('Selu', {'gamma': 0.0}))}")


@pytest.mark.slow
def test_an_operator_that_cannot_be_converted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lp = chain(tmp_path / "plus.onnx", ("Celu", {"alpha": 2.0}))
    import onnx2pytorch

    def failing(self: Any, model: Any) -> None:
        for node in model.graph.node:
            raise NotImplementedError(f"Conversion not implemented for op_type={node.op_type}.")

    monkeypatch.setattr(onnx2pytorch.ConvertModel, "__init__", failing)
    with pytest.raises(SpecError, match=r"cannot be converted to torch because of its operator Celu: .*surrogate:"):
        load_classifier(f"onnx:{lp}")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["QDQ", "QOperator"])
def test_a_network_in_integers_is_refused_with_the_way_out_and_computed_by_onnxruntime(
    tmp_path: Path, onnx_folder: Path, net: nn.Sequential, format: str
) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.batches = iter([{"input": pictures(4).numpy()}])

        def get_next(self) -> Any:
            return next(self.batches, None)

    path = tmp_path / "int8.onnx"
    quantization.quantize_static(
        str(onnx_folder / "dynamic.onnx"), str(path), Reader(), quant_format=quantization.QuantFormat[format]
    )
    with pytest.raises(SpecError, match=r"because of (QuantizeLinear|QLinearConv).*surrogate:\(onnx:.*gradients=false\)"):
        load_classifier(f"onnx:{path}")
    found = load_classifier(f"onnx:{path},gradients=false")(pictures(3))
    expected = net(pictures(3)).log_softmax(-1)
    assert 1e-5 < (found - expected).abs().max() < 0.2


@pytest.mark.slow
def test_a_search_with_lent_gradients_takes_a_network_in_integers(tmp_path: Path, onnx_folder: Path) -> None:
    rounded = chain(tmp_path / "round.onnx", ("Round", {}))
    sine = chain(tmp_path / "sine.onnx", ("Sin", {}))
    lent = load_classifier(f"surrogate:(onnx:{rounded},gradients=false)+(onnx:{sine})")
    x = pictures(2, 3, 8, 8).requires_grad_()
    assert torch.allclose(lent(x), x.round().mean((2, 3)).log_softmax(-1), atol=1e-5)
    (gradient,) = torch.autograd.grad(lent(x)[:, 1:].sum(), x)
    assert (gradient != 0).any()


@pytest.mark.slow
def test_a_graph_that_is_right_for_one_picture_only_is_asked_for_one_at_a_time(
    tmp_path: Path, onnx_folder: Path, net: nn.Sequential
) -> None:
    def promise(model: Any) -> None:  # a batch of any size, where the shapes inside are those of one picture
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
        model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
        del model.graph.value_info[:]

    path = altered(onnx_folder / "static.onnx", tmp_path / "promised.onnx", promise)
    equals(load_classifier(f"onnx:{path}"), net)


@pytest.mark.slow
def test_an_attribute_that_states_the_default_does_not_stand_in_the_way(tmp_path: Path, net: nn.Sequential) -> None:
    first = nn.Sequential(distinct(nn.BatchNorm2d(3)), net).eval()  # is not merged into a convolution

    def state(model: Any) -> None:
        import onnx

        (node,) = [node for node in model.graph.node if node.op_type == "BatchNormalization"][:1]
        node.attribute.append(onnx.helper.make_attribute("training_mode", 0))

    path = written_onnx(first, tmp_path / "first.onnx", (2, 3, SIDE, SIDE), dynamic=True)
    equals(load_classifier(f"onnx:{altered(path, tmp_path / 'stated.onnx', state)}"), first)


@pytest.mark.slow
def test_what_differs_from_onnxruntime_is_refused_with_by_how_much(onnx_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.classifiers._onnx.Runtime.forward", lambda self, x: small(5)(x) * 1.1)
    with pytest.raises(
        ContractError, match=r"something else in torch than in onnxruntime: on random pictures by 0\.09.* 0\.001 was"
    ):
        load_classifier(f"onnx:{onnx_folder / 'dynamic.onnx'}")


@pytest.mark.slow
def test_labels_in_an_onnx_files_metadata_are_taken(tmp_path: Path, onnx_folder: Path) -> None:
    names = ["cat", "dog", "bird", "frog", "horse"]
    for text in (json.dumps(names), json.dumps(dict(enumerate(names))), "\n".join(names)):

        def add(model: Any, text: str = text) -> None:
            model.metadata_props.add(key="labels", value=text)

        path = altered(onnx_folder / "dynamic.onnx", tmp_path / "named.onnx", add)
        assert [label.name for label in load_classifier(f"onnx:{path}").labels] == names


@pytest.mark.slow
def test_onnx_files_that_are_damaged_or_no_classifier_of_pictures_are_answered(
    tmp_path: Path, onnx_folder: Path, net: nn.Sequential
) -> None:
    whole = (onnx_folder / "static.onnx").read_bytes()
    for name, content in damaged(whole).items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name}\.onnx \({len(content)} bytes\) is not a whole ONNX file"):
            load_classifier(f"onnx:{path}")
    apart = written_onnx(net, tmp_path / "apart.onnx", (1, 3, SIDE, SIDE), external=True)
    equals(load_classifier(f"onnx:{apart}"), net)
    (tmp_path / "apart.onnx.data").unlink()
    with pytest.raises(WeightsError, match=r"apart\.onnx\.data.* That file has to come along with this one"):
        load_classifier(f"onnx:{apart}")

    def deep(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4

    def integers(model: Any) -> None:
        model.graph.input[0].type.tensor_type.elem_type = 2

    def newer(model: Any) -> None:
        model.opset_import[0].version = 999

    def more(model: Any) -> None:
        from onnx import helper

        model.graph.input.append(model.graph.input[0])
        model.graph.input[-1].name = "second"
        model.graph.node.insert(0, helper.make_node("Add", ["input", "second"], ["sum"]))
        model.graph.node[1].input[0] = "sum"

    for change, error, words in (
        (deep, SpecError, r"takes .* x 4 x 8 x 8; batch x 1 or 3 channels"),
        (integers, SpecError, "takes whole numbers"),
        (newer, WeightsError, "is not a whole"),
        (more, SpecError, r"has 2 inputs \(input, second\)"),
    ):
        with pytest.raises(error, match=words):
            load_classifier(f"onnx:{altered(chain(tmp_path / 'a.onnx', ('Sin', {})), tmp_path / 'b.onnx', change)}")


def test_a_missing_package_is_answered_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.classifiers.onnx.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'gevaldi\[onnx\]'"):
        load_classifier("onnx:model.onnx")


@pytest.mark.slow
def test_files_that_onnxruntime_computes_are_told_apart_by_what_is_in_them(onnx_folder: Path, tmp_path: Path) -> None:
    from gevaldi.fingerprints import describe_network

    def told(name: str) -> dict[str, Any]:
        return describe_network(load_classifier(name), "x")

    one, other = (chain(tmp_path / f"{kind}.onnx", (kind, {})) for kind in ("Sin", "Cos"))
    first, second = (told(f"onnx:{path},gradients=false") for path in (one, other))
    assert first["sha256"] != second["sha256"]
    assert told(f"onnx:{one},gradients=false") == first
    plain, shifted = (told(f"onnx:{one}{more},gradients=false") for more in (",mean=0.5", ",mean=0.1"))
    assert plain["sha256"] == shifted["sha256"]
    assert plain["settings"] != shifted["settings"]
