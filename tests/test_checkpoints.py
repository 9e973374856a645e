"""Weights in every form in which training programs leave them, held against the network that wrote them and timm's own loader."""

import json
import sys
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from gevaldi.checkpoints import fill
from gevaldi.classifiers import load_classifier
from gevaldi.errors import SpecError, WeightsError

State = dict[str, Tensor]
X = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A small network with a normalisation and a head."""

    def __init__(self, classes: int = 4, auxiliary: bool = False, width: int = 6) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)
        if auxiliary:
            self.aux_head = nn.Linear(width, classes)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.bn1(self.conv1(x)).relu().mean((2, 3)))


def trained(seed: int = 0, **options: Any) -> Net:
    torch.manual_seed(seed)
    net = Net(**options)
    for _ in range(3):
        net(torch.rand(8, 3, 8, 8))
    return net.eval()


def renamed(state: State, prefix: str) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


OTHER = trained(9).state_dict()
OPTIMISER = {
    "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.rand(6, 3, 3, 3)}},
    "param_groups": [{"lr": 0.1, "params": [0]}],
}

FORMS: dict[str, Callable[[State], Any]] = {
    "a state dict": lambda state: state,
    "an ordered one": lambda state: OrderedDict(state),
    "state_dict": lambda state: {"epoch": 3, "state_dict": state, "optimizer": OPTIMISER, "best": 0.9},
    "model": lambda state: {"model": state, "optimizer": OPTIMISER, "lr_scheduler": {"last_epoch": 3}},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": torch.tensor(0.3)},
    "with arguments and figures": lambda state: {
        "model": state,
        "args": Namespace(lr=0.1, output_dir=Path("out"), device="cuda"),
        "best_acc1": np.float64(0.93),
        "epoch": np.int64(3),
        "when": datetime(2026, 1, 1, tzinfo=UTC),
    },
    "any name": lambda state: {"my_own_network": state, "step": 7},
    "any two names": lambda state: {"results": {"weights": state, "accuracy": [0.1, 0.2]}},
    "a list": lambda state: [state, {"epoch": 3}],
    "DataParallel": lambda state: renamed(state, "module."),
    "compiled": lambda state: renamed(state, "_orig_mod."),
    "compiled in DataParallel": lambda state: renamed(state, "module._orig_mod."),
    "DataParallel compiled": lambda state: {"state_dict": renamed(state, "_orig_mod.module.")},
    "parts compiled": lambda state: {key.replace("conv1.", "conv1._orig_mod."): value for key, value in state.items()},
    "a part in DataParallel": lambda state: {key.replace("conv1.", "conv1.module."): value for key, value in state.items()},
    "checkpointed and sharded": lambda state: renamed(
        {key.replace("conv1.", "conv1._checkpoint_wrapped_module."): value for key, value in state.items()}, "_fsdp_wrapped_module."
    ),
    "Fabric": lambda state: {"model": renamed(state, "_forward_module.")},
    "Lightning's model": lambda state: {
        "state_dict": renamed(state, "model.") | {"criterion.weight": torch.ones(4)},
        "pytorch-lightning_version": "2.5.0",
        "hparams_name": "kwargs",
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.9)}},
        "optimizer_states": [OPTIMISER],
    },
    "Lightning's net, compiled": lambda state: {"state_dict": renamed(state, "net._orig_mod.")},
    "Lightning's of another name": lambda state: {"state_dict": renamed(state, "classifier_to_train.")},
    "a prefix of two names": lambda state: {"state_dict": renamed(state, "student.backbone.")},
    "an average of torch": lambda state: {"n_averaged": torch.tensor(5), **renamed(state, "module.")},
    "half precision": lambda state: {key: value.half() if value.is_floating_point() else value for key, value in state.items()},
    "double precision": lambda state: {key: value.double() if value.is_floating_point() else value for key, value in state.items()},
    "without counters": lambda state: {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")},
    "with counts of operations": lambda state: state | {"total_ops": torch.zeros(1), "conv1.total_params": torch.zeros(1)},
    "with an auxiliary head": lambda state: state | {"aux_head.weight": torch.ones(4, 6), "AuxLogits.conv0.bias": torch.ones(3)},
    "the same twice": lambda state: {"state_dict": state, "best_state_dict": state},
    "state_dict_ema": lambda state: {"state_dict": OTHER, "state_dict_ema": state},
    "model_ema": lambda state: {"model": OTHER, "model_ema": {"n_averaged": torch.tensor(5), **renamed(state, "module.")}},
    "an average with prefixes": lambda state: {"state_dict": renamed(OTHER, "model.") | renamed(state, "ema_model.module.")},
    "an average deep inside": lambda state: {"model": OTHER, "callbacks": {"average": {"ema": {"weights": state}}}},
}
TIMM_READS = (
    "a state dict",
    "state_dict",
    "model",
    "DataParallel",
    "compiled",
    "compiled in DataParallel",
    "DataParallel compiled",
    "state_dict_ema",
)
AVERAGES = {
    "state_dict_ema": "state_dict",
    "model_ema": "model",
    "an average with prefixes": "state_dict.model",
    "an average deep inside": "model",
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_read_whatever_a_training_program_put_around_them(form: str, tmp_path: Path) -> None:
    net, path = trained(), tmp_path / "a.pth"
    torch.save(FORMS[form](net.state_dict()), path)
    filled = trained(1)
    fill(filled, path)
    assert torch.allclose(filled(X), net(X), atol=1e-2 if form == "half precision" else 1e-6)
    if form in TIMM_READS:
        reference = trained(2)
        timm.models.load_checkpoint(reference, str(path))
        assert torch.equal(filled(X), reference(X))


@pytest.mark.parametrize("form", AVERAGES)
def test_a_moving_average_is_taken_and_said_and_the_raw_weights_are_an_option(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, filled = tmp_path / "a.pth", trained(1)
    torch.save(FORMS[form](trained().state_dict()), path)
    note = fill(filled, path)
    assert note is not None
    assert f"key={AVERAGES[form]}" in note
    assert "moving average" in note
    assert note in capsys.readouterr().err
    raw = trained(9)
    assert fill(filled, path, key=AVERAGES[form]) is None
    assert torch.equal(filled(X), raw(X))
    assert not torch.equal(filled(X), trained()(X))


def test_an_average_that_does_not_fit_is_said(tmp_path: Path) -> None:
    net = trained()
    torch.save({"model": net.state_dict(), "ema": {"shadow_params": list(net.parameters())}}, tmp_path / "a.pth")
    assert "the moving average under ema does not fit" in str(fill(trained(1), tmp_path / "a.pth"))
    assert fill(trained(1), tmp_path / "a.pth", key="model") is None


SEVERAL: dict[str, Callable[[State], Any]] = {
    "student and teacher": lambda state: {"student": state, "teacher": OTHER},
    "with prefixes": lambda state: {"state_dict": renamed(state, "student.") | renamed(OTHER, "teacher.")},
    "best and last": lambda state: {"state_dict": OTHER, "best": state},
    "two averages": lambda state: {"model": OTHER, "ema": state, "state_ema": trained(8).state_dict()},
    "stochastic averages": lambda state: {"model": OTHER, "swa_model": state},
}


@pytest.mark.parametrize("form", SEVERAL)
def test_of_several_sets_of_weights_none_is_guessed(form: str, tmp_path: Path) -> None:
    path, filled, content = tmp_path / "a.pth", trained(1), SEVERAL[form](trained().state_dict())
    torch.save(content, path)
    with pytest.raises(WeightsError, match=r"sets of weights that fit, under .* Say which are meant: key="):
        fill(filled, path)
    key = (
        "student"
        if "student" in form or form == "with prefixes"
        else next(key for key in content if key not in ("model", "state_dict"))
    )
    fill(filled, path, key=key)
    assert torch.equal(filled(X), trained()(X))
    with pytest.raises(WeightsError, match=r"has no weights under key=pupil. It holds"):
        fill(filled, path, key="pupil")


def test_heads_that_are_used_in_training_only_may_be_missing_or_others(tmp_path: Path) -> None:
    net, filled = trained(), trained(1, auxiliary=True)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    fill(filled, tmp_path / "a.pth")
    assert torch.equal(filled(X), net(X))
    torch.save(net.state_dict() | {"aux_head.weight": torch.ones(9, 6)}, tmp_path / "a.pth")
    fill(filled, tmp_path / "a.pth")
    assert torch.equal(filled(X), net(X))


def test_what_is_left_out_of_a_lightning_module_is_said(tmp_path: Path) -> None:
    torch.save({"state_dict": renamed(trained().state_dict(), "model.") | {"normalise.mean": torch.zeros(3)}}, tmp_path / "a.ckpt")
    assert "left out are normalise.mean" in str(fill(trained(1), tmp_path / "a.ckpt"))


def less(state: State, key: str) -> State:
    return {name: value for name, value in state.items() if name != key}


OTHERS: dict[str, tuple[Callable[[State], Any], str]] = {
    "a missing tensor": (lambda s: less(s, "bn1.bias"), "another architecture than Net: bn1.bias came as nothing"),
    "one too many": (
        lambda s: s | {"se.weight": torch.ones(2)},
        "another architecture than Net: se.weight came as .2,., expected was nothing",
    ),
    "another width": (lambda s: trained(width=8).state_dict(), "another architecture than Net: bn1.bias came as .8,."),
    "other classes": (
        lambda s: trained(classes=10).state_dict(),
        "holds a Net of 10 classes: fc.bias .* Say so: classes=10, and labels=FILE",
    ),
    "other classes, nested": (lambda s: {"model": renamed(trained(classes=7).state_dict(), "net.")}, "holds a Net of 7 classes"),
    "a head of several layers": (
        lambda s: less(less(s, "fc.weight"), "fc.bias") | {"fc.1.weight": torch.ones(5, 6), "fc.1.bias": torch.ones(5)},
        r"a Net with another head: .*fc\.1\.weight.* python:FILE\.py:NAME",
    ),
    "an optimiser": (
        lambda s: {"optimizer": OPTIMISER, "epoch": 3},
        "where a state dict, names to tensors, was expected: optimizer",
    ),
    "numbers": (lambda s: {"a": 1}, "holds dict, where a state dict"),
    "one tensor": (lambda s: torch.ones(3), "holds Tensor, where a state dict"),
    "nothing": (lambda s: {}, "holds dict, where a state dict"),
    "another network nested": (
        lambda s: {"epoch": 1, "net": trained(width=8).state_dict()},
        r"another architecture than Net under net: .* It holds epoch, net \(.* tensors such as conv1\.weight",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_weights_are_refused_with_what_the_file_holds(what: str, tmp_path: Path) -> None:
    made, message = OTHERS[what]
    torch.save(made(trained().state_dict()), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        fill(trained(1), tmp_path / "a.pth")


def sharded(folder: Path, state: State, suffix: str = ".safetensors") -> Path:
    """As save_pretrained writes a large network."""
    stem = "model" if suffix == ".safetensors" else "pytorch_model"
    keys, places = list(state), {}
    for i, part in enumerate((keys[:3], keys[3:]), start=1):
        name = f"{stem}-{i:05}-of-00002{suffix}"
        tensors = {key: state[key].clone().contiguous() for key in part}
        save_file(tensors, folder / name) if suffix == ".safetensors" else torch.save(tensors, folder / name)
        places |= dict.fromkeys(part, name)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_weights_in_several_files_are_read_by_their_index_or_folder(tmp_path: Path, suffix: str, prefix: str) -> None:
    net, filled = trained(), trained(1)
    index = sharded(tmp_path, renamed(net.state_dict(), prefix), suffix)
    for path in (index, tmp_path):
        filled = trained(1)
        fill(filled, path)
        assert torch.equal(filled(X), net(X))
    shard = next(path for path in tmp_path.iterdir() if "00002" in path.name)
    with pytest.raises(WeightsError, match=rf"is one of 2 files of a network. Name their index instead: {index}"):
        fill(filled, shard)


INDICES: dict[str, tuple[Any, str]] = {
    "a file elsewhere": ({"weight_map": {"a": "../secret.safetensors"}}, "its files have to lie beside it"),
    "a file far away": ({"weight_map": {"a": "/etc/passwd"}}, "its files have to lie beside it"),
    "itself": ({"weight_map": {"a": "model.safetensors.index.json"}}, "its files have to lie beside it"),
    "a file that is not there": ({"weight_map": {"a": "b.safetensors"}}, "b.safetensors is not beside it"),
    "no map": ({"metadata": {}}, "is no index of weights"),
    "numbers": ({"weight_map": {"a": 3}}, "is no index of weights"),
    "a list": ([1], "is no index of weights"),
    "an empty map": ({"weight_map": {}}, "is no index of weights"),
}


@pytest.mark.parametrize("what", INDICES)
def test_an_index_that_is_none_is_refused(what: str, tmp_path: Path) -> None:
    content, message = INDICES[what]
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=message):
        fill(trained(), tmp_path / "model.safetensors.index.json")


def test_an_index_that_names_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    index = sharded(tmp_path, trained().state_dict())
    values = json.loads(index.read_text())
    values["weight_map"]["more"] = values["weight_map"]["fc.bias"]
    index.write_text(json.dumps(values))
    with pytest.raises(WeightsError, match="names more, which is in none of its files"):
        fill(trained(), index)


def test_arrays_of_numpy_are_weights_too(tmp_path: Path) -> None:
    net, filled = trained(), trained(1)
    torch.save({"model": {key: value.numpy() for key, value in net.state_dict().items()}}, tmp_path / "a.pkl")
    fill(filled, tmp_path / "a.pkl", allow_pickle=True)
    assert np.array_equal(filled(X).detach().numpy(), net(X).detach().numpy())


WHOLE: dict[str, Callable[[nn.Module], Any]] = {
    "a network": lambda net: net,
    "in DataParallel": nn.DataParallel,
    "under a name": lambda net: {"epoch": 3, "model": net},
    "beside its average": lambda net: {"model": trained(7), "ema": net},
    "in a list": lambda net: [net, 3],
}


@pytest.mark.parametrize("form", WHOLE)
def test_a_network_that_was_pickled_whole_is_read_where_that_is_allowed(form: str, tmp_path: Path) -> None:
    net, filled = trained(), trained(1)
    torch.save(WHOLE[form](deepcopy(net)), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"holds more than tensors \(test_checkpoints\.Net.*say pickle=true"):
        fill(filled, tmp_path / "a.pth")
    fill(filled, tmp_path / "a.pth", allow_pickle=True)
    assert torch.equal(filled(X), net(X))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickled_network_is_no_torchscript_archive_and_says_what_it_is(legacy: bool, tmp_path: Path) -> None:
    torch.save(trained(), tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match=r"written by torch\.save .* pickled whole.*torchvision:NAME,weights=.*pickle=true"):
        load_classifier(f"torchscript:{tmp_path / 'a.pt'},pickle=true")


@pytest.mark.parametrize("gone", ["class", "module"])
def test_a_pickled_network_of_a_program_that_is_not_here_is_answered_with_what_it_is_and_what_to_do(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_training.py").write_text("from torch import nn\nclass TheirNet(nn.Linear):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("their_training")
    torch.save({"model": module.TheirNet(2, 2)}, tmp_path / "a.pth")
    if gone == "class":
        monkeypatch.delattr(module, "TheirNet")
    else:
        monkeypatch.delitem(sys.modules, "their_training")
        (tmp_path / "their_training.py").unlink()
    message = (
        r"\(their_training\.TheirNet\).*the program is not at hand: .*torch\.save\(network\.state_dict\(\), FILE\).*PYTHONPATH"
    )
    with pytest.raises(WeightsError, match=f"(?s){message}"):
        fill(trained(), tmp_path / "a.pth", allow_pickle=True)


FINE_TUNED = {
    "torchvision:resnet18": "fc",
    "torchvision:squeezenet1_1": "classifier",
    "torchvision:mobilenet_v3_small": "classifier",
    "torchvision:vit_b_32": "heads",
    "torchvision:swin_t": "head",
    "torchvision:densenet121": "classifier",
    "torchvision:googlenet": "fc",
    "timm:test_resnet": "fc",
    "timm:test_vit": "head",
    "timm:test_convnext": "head",
    "timm:test_efficientnet": "classifier",
}
SLOW = ("vit_b_32", "swin_t", "densenet121", "googlenet")


def made(name: str, classes: int) -> nn.Module:
    source, _, model = name.partition(":")
    options = {"init_weights": False} if model == "googlenet" else {}
    torch.manual_seed(4)
    if source == "timm":
        return timm.create_model(model, num_classes=classes).eval()
    return torchvision.models.get_model(model, weights=None, num_classes=classes, **options).eval()


LABEL_FILES: dict[str, str] = {
    "names.txt": "cat\ndog\neel\n",
    "ids.txt": "n1\tcat\nn2\tdog\nn3\teel\n",
    "list.json": '["cat", "dog", "eel"]',
    "class_to_idx.json": '{"eel": 2, "cat": 0, "dog": 1}',
    "id2label.json": '{"2": "eel", "0": "cat", "1": "dog"}',
    "config.json": '{"model_type": "vit", "id2label": {"0": "cat", "1": "dog", "2": "eel"}, "label2id": {"cat": 0}}',
    "timm.json": '{"architecture": "resnet18", "label_names": ["cat", "dog", "eel"]}',
    "index.json": '{"0": ["n00000001", "cat"], "1": ["n00000002", "dog"], "2": ["n00000003", "eel"]}',
    "names.yaml": "- cat\n- dog\n- eel\n",
    "map.yml": "{0: cat, 1: dog, 2: eel}",
}


@pytest.mark.parametrize("file", LABEL_FILES)
def test_labels_of_a_fine_tuned_network_come_in_files_of_every_form(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(LABEL_FILES[file])
    torch.save(made("timm:test_resnet", 3).state_dict(), tmp_path / "a.pth")
    for classes in ("", "classes=3,"):
        loaded = load_classifier(f"timm:test_resnet,weights={tmp_path / 'a.pth'},{classes}labels={tmp_path / file}")
        assert [label.name for label in loaded.labels] == ["cat", "dog", "eel"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow if name.endswith(SLOW) else ()) for name in FINE_TUNED])
def test_a_fine_tuned_network_is_loaded_by_the_number_of_its_classes(name: str, tmp_path: Path) -> None:
    network = made(name, 3)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "a.pth")
    (tmp_path / "labels.json").write_text(LABEL_FILES["class_to_idx.json"])
    with pytest.raises(WeightsError, match=r"of 3 classes: .* Say so: classes=3, and labels=FILE"):
        load_classifier(f"{name},weights={tmp_path / 'a.pth'}")
    loaded = load_classifier(f"{name},weights={tmp_path / 'a.pth'},classes=3,labels={tmp_path / 'labels.json'}")
    assert [label.name for label in loaded.labels] == ["cat", "dog", "eel"]
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        prepared = loaded.module.preprocessing(x)
        if name.endswith("googlenet"):
            network.transform_input = True  # as torchvision has it for trained weights
        assert torch.allclose(loaded(x), network(prepared).log_softmax(-1), atol=1e-5)
    numbered = load_classifier(f"{name},weights={tmp_path / 'a.pth'},classes=3")
    assert [label.name for label in numbered.labels] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("words", "message", "kind"),
    [
        ("classes=3", "has 1000 classes in its published weights, but 3 were given.*weights=FILE,classes=3", SpecError),
        ("weights={},classes=1", "was given 1 classes; a classifier chooses one of at least two", SpecError),
        ("weights={},classes=-2", "at least two", SpecError),
        ("weights={},classes=9999999999999", "at most 1,000,000", SpecError),
        ("weights={},labels=9999999999999", "at most 1,000,000", SpecError),
        ("weights={},classes=3,labels=4", "gives 3 classes, but there are 4 labels", SpecError),
        ("weights={},classes=5", "of 3 classes", WeightsError),
        ("weights={},classes=many", "a whole number was expected", SpecError),
        ("weights={},labels=nowhere.json", "The file of labels", SpecError),
    ],
)
@pytest.mark.parametrize("name", ["torchvision:squeezenet1_1", "timm:test_resnet.r160_in1k"])
def test_classes_that_do_not_fit_are_refused(name: str, words: str, message: str, kind: Any, tmp_path: Path) -> None:
    torch.save(made(name.partition(".r160")[0], 3).state_dict(), tmp_path / "a.pth")
    with pytest.raises(kind, match=message):
        load_classifier(f"{name},{words.format(tmp_path / 'a.pth')}")


def test_the_moving_average_of_a_timm_checkpoint_is_what_timm_takes_and_stands_in_the_note(tmp_path: Path) -> None:
    raw, average, path = made("timm:test_vit", 1000), made("timm:test_vit", 1000), tmp_path / "a.pth.tar"
    with torch.no_grad():
        [parameter.add_(0.02 * torch.randn_like(parameter)) for parameter in average.parameters()]
    torch.save({"epoch": 2, "arch": "test_vit", "state_dict": raw.state_dict(), "state_dict_ema": average.state_dict()}, path)
    reference = made("timm:test_vit", 1000)
    timm.models.load_checkpoint(reference, str(path))
    x = torch.rand(1, 3, 160, 160)
    for words, expected in (("", reference), (",key=state_dict_ema", average), (",key=state_dict", raw)):
        loaded = load_classifier(f"timm:test_vit,weights={path}{words}")
        assert torch.allclose(loaded(x), expected(loaded.module.preprocessing(x)).log_softmax(-1), atol=1e-5)
        assert (loaded.note is None) == bool(words)
    assert "key=state_dict" in str(load_classifier(f"timm:test_vit,weights={path}").note)
    assert "moving average" in str(load_classifier(f"quantised:timm:test_vit,weights={path}").note)


def test_a_checkpoint_of_googlenet_without_its_auxiliary_heads_is_read(tmp_path: Path) -> None:
    network = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False)
    torch.save(network.state_dict(), tmp_path / "a.pth")
    assert len(load_classifier(f"torchvision:googlenet,weights={tmp_path / 'a.pth'}").labels) == 1000
