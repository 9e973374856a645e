"""Every promise between generator and classifiers, broken one by one."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import gevaldi
from conftest import SmallDecoder, small_classifier, small_generator
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
        return torch.rand(len(z), 1, 8, 8)


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
@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_in_wrapping_is_answered(message: str) -> None:
    """In a process of its own, since this suite checks types at run time and so would find the mistake first."""
    script = f"""
import sys, types, torch, jaxtyping
jaxtyping.install_import_hook = lambda *a, **k: types.SimpleNamespace(__enter__=lambda: None)
from test_contract import MISTAKES
MISTAKES[{message!r}]()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert "gevaldi.errors.SpecError" in done.stderr
    assert re.search(message, done.stderr.splitlines()[-1]), done.stderr


def test_a_class_called_by_half_a_letter_is_refused_before_anything_is_computed() -> None:
    half = r"A class is called '.*', with half of a letter \(a surrogate\)"
    with pytest.raises(ContractError, match=half):
        gevaldi.classifier(nn.Linear(2, 2), labels=["a", "b\ud800"])
    with pytest.raises(ContractError, match=half):
        gevaldi.Label("a", "n0\udfff")
    assert gevaldi.classifier(nn.Linear(2, 2), labels=["\U0001f986", "b"]).labels[0].name == "\U0001f986"
