"""Every promise between generator and classifiers, broken one by one."""

import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import gevaldi
from conftest import SmallDecoder, called, small_classifier, small_generator
from gevaldi.alignment import align
from gevaldi.contract import check_contract, on_device
from gevaldi.errors import ContractError

CPU = torch.device("cpu")


def flat(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3), *layers).eval()


class Raw(gevaldi.Classifier):
    """A classifier of one's own that forgets something."""

    def __init__(self, ending: nn.Module) -> None:
        super().__init__()
        self.labels = gevaldi.classifier(nn.Identity(), labels=3).labels
        self.net = flat(ending)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.net(pictures)


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Picky(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise AssertionError("224 pixels a side, please")


class Neighbours(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - 5 * x.mean(0)


BROKEN_CLASSIFIERS = {
    "add up to": lambda: Raw(nn.Identity()),
    "gives probabilities": lambda: Raw(nn.Softmax(-1)),
    "but was declared to give logits": lambda: gevaldi.classifier(flat(nn.Softmax(-1)), labels=3),
    "instead of 1": lambda: gevaldi.classifier(flat(), labels=3, output="log-probabilities"),
    "was declared to give probabilities": lambda: gevaldi.classifier(flat(), labels=3, output="probabilities"),
    "mean and std of 3 channels": lambda: gevaldi.classifier(flat(), labels=3, mean=[0.1] * 3, std=[0.2] * 3),
    "the module gave a tuple": lambda: gevaldi.classifier(flat(Pair()), labels=3),
    "AssertionError: 224 pixels": lambda: gevaldi.classifier(Picky(), labels=3),
    "gives 3 classes but has 4 labels": lambda: gevaldi.classifier(flat(), labels=4),
    "has 2 classes": lambda: small_classifier(classes=2),
    "looks at its neighbours": lambda: gevaldi.classifier(flat(Neighbours()), labels=3),
    "fails on pictures of shape": lambda: gevaldi.classifier(nn.Linear(5, 3), labels=3),
    "no finite number": lambda: gevaldi.classifier(flat(nn.Threshold(1e9, float("nan"))), labels=3),
}


@pytest.mark.parametrize("message", BROKEN_CLASSIFIERS)
def test_a_broken_classifier_is_refused_with_what_came_and_what_was_expected(message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_contract(BROKEN_CLASSIFIERS[message]().eval(), small_classifier(), small_generator(), CPU)


class NoGradient(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return z.detach().mean(1).sigmoid().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


class Rounded(nn.Module):
    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (z.sigmoid() * 255).round().mean(1).div(255).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def unconditional(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


class Flat(gevaldi.Generator):
    def __init__(self) -> None:
        super().__init__()
        self.prior, self.net = small_generator().prior, nn.Linear(5, 64)

    def forward(self, z, condition):
        return self.net(z).sigmoid()


BROKEN_GENERATORS = {
    "range from": lambda: gevaldi.generator(unconditional(nn.Linear(5, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))), latent=5),
    "Does the latent's size fit": lambda: gevaldi.generator(SmallDecoder(0), latent=6),
    "gave pictures of shape": Flat,
    "carry no gradient": lambda: gevaldi.generator(NoGradient(), latent=5),
    "is zero": lambda: gevaldi.generator(Rounded(), latent=5),
    "other pictures": lambda: gevaldi.generator(
        unconditional(nn.Linear(5, 64), Neighbours(), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=5
    ),
}


@pytest.mark.parametrize("message", BROKEN_GENERATORS)
def test_a_broken_generator_is_refused_with_what_came_and_what_was_expected(message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_contract(small_classifier(0), small_classifier(1), BROKEN_GENERATORS[message]().eval(), CPU)


def test_a_module_in_training_mode_is_refused_by_name() -> None:
    left = small_classifier(0)
    left.module[1].train()
    with pytest.raises(ContractError, match=r"first classifier is in training mode \(module\.1\).*\.eval\(\)"):
        check_contract(left, small_classifier(1), small_generator(), CPU)


def test_what_keeps_the_contract_passes_and_other_names_of_classes_are_a_warning() -> None:
    second = small_classifier(1)
    assert check_contract(small_classifier(0), second, small_generator(), CPU) == []
    second.labels = gevaldi.classifier(nn.Identity(), labels=["0", "1", "cat"]).labels
    (warning,) = check_contract(small_classifier(0), second, small_generator(), CPU)
    assert "class 2 is '2' and 'cat'" in warning


def test_a_tanh_generator_with_its_range_declared_passes() -> None:
    made = gevaldi.generator(unconditional(nn.Linear(5, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))), latent=5, output_range=(-1, 1))
    assert check_contract(small_classifier(0), small_classifier(1), made.eval(), CPU) == []


def test_parameters_are_given_back_as_they_were() -> None:
    module = small_classifier()
    frozen, free = list(module.parameters())[:1], list(module.parameters())[1:]
    frozen[0].requires_grad_(False)
    with on_device(module, device=CPU):
        assert not any(p.requires_grad for p in module.parameters())
    assert not frozen[0].requires_grad
    assert all(p.requires_grad for p in free)


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = flat()

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


@pytest.mark.parametrize("place", [0, 1])
def test_one_classifier_without_gradient_is_refused_by_its_place(place: int) -> None:
    pair = [small_classifier(0), small_classifier(1)]
    pair[place] = gevaldi.classifier(Detached().eval(), labels=3)
    with pytest.raises(ContractError, match=f"No gradient passes through the {('first', 'second')[place]} classifier"):
        check_contract(*pair, small_generator(), CPU)


def test_nearly_black_pictures_are_a_warning_that_asks_for_the_range() -> None:
    dark = gevaldi.generator(small_generator(0).module, latent=5, output_range=(0, 255)).eval()
    (warning,) = check_contract(small_classifier(0), small_classifier(1), dark, CPU)
    assert "nearly of one colour. Is its output_range" in warning


MISTAKES = {
    "output='softmax' was given; .* one of logits, log-probabilities, probabilities": lambda: gevaldi.classifier(
        flat(), labels=3, output="softmax"
    ),
    "A function was given as the module of a classifier": lambda: gevaldi.classifier(lambda x: x, labels=3),
    "A function was given as the module of a generator": lambda: gevaldi.generator(lambda z: z, latent=3),
    r"output_range=1 was given; a pair": lambda: gevaldi.generator(flat(), latent=3, output_range=1),
    r"output_range=\(1, -1\) was given; a pair": lambda: gevaldi.generator(flat(), latent=3, output_range=(1, -1)),
    "latent='truncated-normal' was given": lambda: gevaldi.generator(flat(), latent="truncated-normal"),
    "latent=0 was given": lambda: gevaldi.generator(flat(), latent=0),
}


@pytest.mark.slow
def test_a_mistake_in_wrapping_is_answered() -> None:
    """In a process of its own, since this suite checks types at run time and so would find the mistake first."""
    script = """
from gevaldi.errors import SpecError
from test_contract import MISTAKES
for mistake in MISTAKES.values():
    try:
        mistake()
    except SpecError as error:
        print(str(error).replace("\\n", " "))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        env=os.environ | {"GEVALDI_TESTS_UNCHECKED": "yes"},
        capture_output=True,
        text=True,
        check=False,
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(MISTAKES), done.stderr
    for message, answer in zip(MISTAKES, answers, strict=True):
        assert re.search(message, answer)


def test_a_class_called_by_half_a_letter_is_refused_before_anything_is_computed() -> None:
    half = r"A class is called '.*', with half of a letter \(a surrogate\)"
    with pytest.raises(ContractError, match=half):
        gevaldi.classifier(nn.Linear(2, 2), labels=["a", "b\ud800"])
    with pytest.raises(ContractError, match=half):
        gevaldi.Label("a", "n0\udfff")
    assert gevaldi.classifier(nn.Linear(2, 2), labels=["\U0001f986", "b"]).labels[0].name == "\U0001f986"


class Dropped(nn.Module):
    """Calls F.dropout without saying whether it is trained, which is then true."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return 0.7 * nn.functional.dropout(self.inner(*x), 0.3)


class InPlace(nn.Module):
    """Normalises what it is given in place."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        x[0].sub_(0.2).div_(0.9)
        return self.inner(*x)


class InPlaceWithoutEffect(InPlace):
    """Leaves pictures as they are, but breaks the gradient of the generator that made them."""

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[0].clamp_(min=-100), *x[1:])


class Together(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[0] - x[0].mean(0), *x[1:])


class Sized(nn.Module):
    """Takes some numbers of samples only."""

    def __init__(self, inner: nn.Module, *sizes: int) -> None:
        super().__init__()
        self.inner, self.sizes = inner, sizes

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        if len(x[0]) not in self.sizes:
            raise RuntimeError(f"shape '[{self.sizes[0]}, -1]' is invalid for input of size {x[0].numel()}")
        return self.inner(*x)


class Squeezed(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.inner(*x).squeeze()


class Larger(nn.Module):
    """Divides by the largest of a batch of more than four."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[0] * (0.5 if len(x[0]) > 4 else 1), *x[1:])


class NoBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        return x.clone()


class Underived(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        return NoBackward.apply(self.inner(*x))


class OverwrittenInside(nn.Module):
    """Changes in place what its own gradient needs."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *x: torch.Tensor) -> torch.Tensor:
        y = self.inner(*x).sigmoid()
        y.mul_(0.999)
        return y


QUESTIONS = {
    "chance": (Dropped, r"gives other \w+ when it is given the same \w+ twice .*it uses chance.* F.dropout"),
    "in place": (InPlace, r"changes the \w+ that it is given, in place"),
    "in place without effect": (InPlaceWithoutEffect, r"changes the \w+ that it is given, in place"),
    "neighbours": (Together, r"for a sample alone than in a batch of 4 .* looks at its neighbours"),
    "one at a time": (lambda inner: Sized(inner, 1), "fails on 4 .* but not on one alone: its batch size is fixed"),
    "four at a time": (lambda inner: Sized(inner, 4), r"takes 4 .* but fails on one alone: its batch size is fixed.*\[4, -1\]"),
    "a largest batch": (lambda inner: Sized(inner, 1, 2, 3, 4), r"takes 4 .* but fails on 5: its batch size is fixed"),
    "a squeezed batch of one": (Squeezed, "takes 4 .* but fails on one alone"),
    "another batch": (Larger, "for a sample in a batch of 5 than in a batch of 4"),
    "no derivative": (Underived, "cannot be computed"),
    "overwritten": (OverwrittenInside, "cannot be computed.*modified by an inplace operation"),
}


@pytest.mark.parametrize("who", ["first classifier", "second classifier", "generator"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_fault_is_named_with_the_network_that_has_it(question: str, who: str) -> None:
    made, message = QUESTIONS[question]
    networks = [small_classifier(0), small_classifier(1), small_generator()]
    at = ["first classifier", "second classifier", "generator"].index(who)
    networks[at].module = made(networks[at].module).eval()
    if (question, who) == ("a squeezed batch of one", "generator"):
        message = "(gave pictures|fails on latents) of shape"  # which of a grey generator have lost their channel too
    with pytest.raises(ContractError, match=f"(?s)^The (gradient through the )?{who} .*{message}"):
        check_contract(*networks, CPU)


def test_pictures_are_normalised_in_place_by_the_classifier_and_not_blamed_on_the_generator() -> None:
    left = gevaldi.classifier(InPlace(small_classifier(0).module).eval(), labels=3)
    with pytest.raises(ContractError, match=r"^The first classifier changes the pictures"):
        check_contract(left, small_classifier(1), small_generator(), CPU)


class Steep(nn.Module):
    """Logits of a trained network, by which pictures are told apart."""

    def __init__(self, ending: Any = None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.net, self.ending = nn.Sequential(nn.Flatten(), nn.Linear(64, 12)), ending
        with torch.no_grad():
            self.net[1].weight.mul_(20)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.net(x)
        return logits if self.ending is None else self.ending(logits)


def one_hot(logits: torch.Tensor) -> torch.Tensor:
    return nn.functional.one_hot(logits.argmax(-1), 12).to(logits)


REFUSED = {  # by what a module ends in, and what it was declared to end in
    ("softmax", "logits"): "gives probabilities, but was declared to give logits",
    ("softmax", "log-probabilities"): "gives probabilities; log-probabilities were expected",
    ("log_softmax", "probabilities"): "was declared to give probabilities",
    ("nothing", "probabilities"): "was declared to give probabilities",
    ("nothing", "log-probabilities"): "log-probabilities were expected",
    ("sigmoid", "probabilities"): "was declared to give probabilities",
    ("sigmoid", "log-probabilities"): "log-probabilities were expected",
    ("percent", "logits"): "add up to 100 each time, as percentages do",
    ("percent", "probabilities"): "was declared to give probabilities",
    ("one-hot", "logits"): "decisions",
    ("one-hot", "probabilities"): "decisions",
    ("scaled one-hot", "logits"): "decisions",
    ("log one-hot", "log-probabilities"): "decisions",
    ("rounded softmax", "probabilities"): "decisions",
    ("zeros", "logits"): "gives 0 for every class on all 4 generated pictures",
    ("uniform", "probabilities"): "gives 0.0833 for every class",
    ("uniform", "log-probabilities"): "gives -2.48 for every class",
    ("one output", "logits"): "gives one number for each picture",
}
ENDINGS = {
    "nothing": None,
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "sigmoid": lambda x: x.sigmoid(),
    "percent": lambda x: 100 * x.softmax(-1),
    "one-hot": one_hot,
    "scaled one-hot": lambda x: 10 * one_hot(x) - 5,
    "log one-hot": lambda x: one_hot(x).log(),
    "rounded softmax": lambda x: (1e6 * x).softmax(-1),
    "zeros": lambda x: 0 * x,
    "uniform": lambda x: 0 * x + 1 / 12,
    "one output": lambda x: x[:, :1],
}


@pytest.mark.parametrize(("ending", "declared"), REFUSED)
def test_outputs_that_cannot_be_what_they_were_declared_to_be_are_refused(ending: str, declared: Any) -> None:
    last = ENDINGS[ending]
    if (ending, declared) == ("uniform", "log-probabilities"):
        last = lambda x: (0 * x).log_softmax(-1)  # noqa: E731
    one = gevaldi.classifier(Steep(last).eval(), labels=12, output=declared)
    with pytest.raises(ContractError, match=REFUSED[ending, declared]):
        check_contract(one, small_classifier(1, classes=12), small_generator(), CPU)


@pytest.mark.parametrize(
    ("ending", "declared"),
    [("nothing", "logits"), ("log_softmax", "logits"), ("softmax", "probabilities"), ("log_softmax", "log-probabilities")],
)
def test_outputs_that_are_what_they_were_declared_to_be_pass(ending: str, declared: Any) -> None:
    one = gevaldi.classifier(Steep(ENDINGS[ending]).eval(), labels=12, output=declared)
    assert check_contract(one, small_classifier(1, classes=12), small_generator(), CPU) == []


def test_logits_that_all_lie_between_0_and_1_are_a_warning() -> None:
    one = gevaldi.classifier(Steep(ENDINGS["sigmoid"]).eval(), labels=12)
    (warning,) = check_contract(small_classifier(1, classes=12), one, small_generator(), CPU)
    assert "All outputs of the second classifier lie in [0, 1]" in warning
    assert "sigmoid" in warning


def test_a_network_under_two_lists_of_labels_does_not_differ_from_itself() -> None:
    names, turned = ["a", "b", "c"], ["b", "c", "a"]
    net = small_classifier(0).module
    pair = align(*(gevaldi.classifier(net, labels=labels).eval() for labels in (names, turned)))
    with pytest.raises(ContractError, match="same outputs, but under other labels: output 0 is called 'a' by the first and 'b'"):
        check_contract(pair.first, pair.second, small_generator(), CPU)


FILE = """
import gevaldi, torch
from conftest import small_classifier, small_generator
g = small_generator
def net(weights, labels="abc", times=1.0):
    module = small_classifier(0).module
    module.load_state_dict(torch.load(weights, weights_only=True))
    scaled = torch.nn.Sequential(module, torch.nn.Identity()) if times == 1 else Scaled(module, times)
    return gevaldi.classifier(scaled, labels=list(labels)).eval()
class Scaled(torch.nn.Sequential):
    def __init__(self, module, times):
        super().__init__(module, torch.nn.Identity())
        self.times = times
    def forward(self, x):
        return self.times * super().forward(x)
"""


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ("net,weights=a.pth", "net,weights=a.pth is compared with itself: weights and predictions are equal"),
        ("net,weights=b.pth", "net,weights=b.pth are the same network: weights and predictions are equal"),
        ("net,weights=a.pth,labels=bca", "same outputs, but under other labels: output 0 is called 'a' by the first and 'b'"),
        ("net,weights=a.pth,times=2.0", None),  # equal weights, other predictions
        ("net,weights=c.pth", None),
    ],
)
def test_the_same_network_twice_is_named_and_nothing_is_searched(tmp_path: Path, second: str, words: str | None) -> None:
    (tmp_path / "nets.py").write_text(FILE)
    weights = small_classifier(0).module.state_dict()
    torch.save(weights, tmp_path / "a.pth")
    shutil.copy(tmp_path / "a.pth", tmp_path / "b.pth")
    torch.save({key: value + 1e-3 for key, value in weights.items()}, tmp_path / "c.pth")
    pair = ["python:nets.py:net,weights=a.pth", f"python:nets.py:{second}"]
    done = called(tmp_path, "compare", *pair, "-g", "python:nets.py:g", "-n", "2", "--set", "audited=4", "--out", "out")
    if words is None:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out" / "run.json").exists()
    else:
        assert done.returncode == 2
        assert words in done.stderr
        assert not (tmp_path / "out" / "run.json").exists()


def test_one_object_or_its_copy_is_not_compared_with_itself() -> None:
    net = small_classifier(0)
    for other in (net, deepcopy(net), gevaldi.classifier(net.module, labels=3).eval()):
        with pytest.raises(ContractError, match="are the same network"):
            gevaldi.compare(net, other, small_generator(), samples=2, audited=4)


def test_nearly_equal_networks_under_labels_in_another_order_are_a_warning() -> None:
    steep = Steep()
    near = deepcopy(steep)
    with torch.no_grad():
        near.net[1].weight.mul_(1.001)
    names = [f"class {i}" for i in range(12)]
    one, other = (gevaldi.classifier(net.eval(), labels=labels) for net, labels in ((steep, names), (near, names[::-1])))
    found = align(one, other)
    (warning,) = check_contract(found.first, found.second, small_generator(), CPU)
    assert "nearly agree output by output" in warning
    other = gevaldi.classifier(near.eval(), labels=names)
    assert check_contract(one, other, small_generator(), CPU) == []
