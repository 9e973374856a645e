"""Copies of networks whose weights are computed from others: held against a network whose weights were baked by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

import gevaldi
from gevaldi.errors import SpecError
from gevaldi.models import Classifier
from gevaldi.wrappers.copies import in_half_precision, pruned, quantised
from gevaldi.wrappers.reparametrised import Weighted, weights_in_use

pytestmark = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
X = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    """A convolution, its transpose and a linear layer."""
    torch.manual_seed(0)
    layers = nn.Conv2d(2, 6, 3, padding=1, padding_mode="reflect"), nn.ConvTranspose2d(6, 4, 3), nn.Linear(4 * 64, 5)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), nn.Flatten(), layers[2]).eval()


def places(module: nn.Sequential) -> list[Any]:
    return [module[i] for i in (0, 2, 5)]


class Symmetric(nn.Module):
    """A parametrisation of somebody's own."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight + weight.flip(-1)


class Product(nn.Module):
    """One tensor out of two, of which no one is the weight."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return weight.sign(), 1.5 * weight.abs()


def trained(layer: nn.Module) -> nn.Module:
    """Tensors as training leaves them, so that a computed weight is no longer what the layer began with."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(1 + torch.rand(parameter.shape))
    return layer


def old_spectral(layer: nn.Module) -> None:
    spectral_norm(layer, dim=0)
    trained(layer).train()
    [hook(layer, ()) for hook in layer._forward_pre_hooks.values()]
    layer.eval()


def of_rows(weight: Tensor, by: Tensor) -> Tensor:
    return by.view(-1, *[1] * (weight.dim() - 1)) * weight / weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.dim() - 1))


def sigma(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return weight / torch.dot(u, weight.flatten(1) @ v)


def new_spectral_of(layer: Any) -> Tensor:
    inner = layer.parametrizations.weight
    weight = inner.original
    whole = weight.movedim(1, 0) if isinstance(layer, nn.ConvTranspose2d) else weight
    return weight / torch.dot(inner[0]._u, whole.flatten(1) @ inner[0]._v)


def twice_pruned(layer: nn.Module) -> None:
    prune.random_unstructured(layer, "weight", amount=0.3)
    prune.l1_unstructured(layer, "weight", amount=0.3)


def pruned_weight_norm(layer: nn.Module) -> None:
    weight_norm(layer)
    trained(layer)
    prune.l1_unstructured(layer, "weight_v", amount=0.3)


def pruned_original(layer: Any) -> None:
    parametrize.register_parametrization(layer, "weight", Symmetric())
    prune.l1_unstructured(layer.parametrizations.weight, "original", amount=0.4)


def pruned_over_parametrised(layer: Any) -> None:
    prune.l1_unstructured(layer, "weight", amount=0.4)
    parametrize.register_parametrization(layer, "weight_orig", Symmetric())


KINDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Tensor]]] = {
    "old weight norm": (lambda m: trained(weight_norm(m)), lambda m: of_rows(m.weight_v, m.weight_g.flatten())),
    "old spectral norm": (old_spectral, lambda m: sigma(m.weight_orig, m.weight_u, m.weight_v)),
    "weight norm": (
        lambda m: trained(parametrizations.weight_norm(m)),
        lambda m: of_rows(m.parametrizations.weight.original1, m.parametrizations.weight.original0.flatten()),
    ),
    "spectral norm": (lambda m: trained(parametrizations.spectral_norm(m)), new_spectral_of),
    "orthogonal": (parametrizations.orthogonal, lambda m: m.weight),
    "a parametrisation of one's own": (
        lambda m: parametrize.register_parametrization(m, "weight", Symmetric()),
        lambda m: m.parametrizations.weight.original + m.parametrizations.weight.original.flip(-1),
    ),
    "two tensors": (
        lambda m: parametrize.register_parametrization(m, "weight", Product()),
        lambda m: m.parametrizations.weight.original0 * m.parametrizations.weight.original1,
    ),
    "two parametrisations": (
        lambda m: [parametrize.register_parametrization(m, "weight", Symmetric()) for _ in range(2)],
        lambda m: 2 * (m.parametrizations.weight.original + m.parametrizations.weight.original.flip(-1)),
    ),
    "pruned by size": (
        lambda m: trained(prune.l1_unstructured(m, "weight", amount=0.3)),
        lambda m: m.weight_orig * m.weight_mask,
    ),
    "pruned by channel": (
        lambda m: prune.ln_structured(m, "weight", amount=0.3, n=2, dim=0),
        lambda m: m.weight_orig * m.weight_mask,
    ),
    "pruned twice": (twice_pruned, lambda m: m.weight_orig * m.weight_mask),
    "pruned weight norm": (
        pruned_weight_norm,
        lambda m: of_rows(m.weight_v_orig * m.weight_v_mask, m.weight_g.flatten()),
    ),
    "pruned inside a parametrisation": (
        pruned_original,
        lambda m: (w := m.parametrizations.weight.original_orig * m.parametrizations.weight.original_mask) + w.flip(-1),
    ),
    "parametrised inside pruning": (
        pruned_over_parametrised,
        lambda m: (m.parametrizations.weight_orig.original + m.parametrizations.weight_orig.original.flip(-1)) * m.weight_mask,
    ),
    "a bias, too": (
        lambda m: (prune.l1_unstructured(m, "bias", amount=2), weight_norm(m)),
        lambda m: of_rows(m.weight_v, m.weight_g.flatten()),
    ),
}

COPIES: dict[str, Callable[[Classifier], Classifier]] = {
    "quantised": lambda one: quantised(one, 3),
    "static": lambda one: quantised(one, 3, [X]),
    "pruned": lambda one: pruned(one, 0.6),
    "float16": in_half_precision,
    "bfloat16": lambda one: in_half_precision(one, torch.bfloat16),
}


def wrapped(module: nn.Module) -> Classifier:
    return gevaldi.classifier(module.eval(), labels=5)


def layers_of(classifier: Classifier) -> list[Any]:
    return [layer for layer in classifier.modules() if isinstance(layer, Weighted)]


def pair(kind: str) -> tuple[nn.Sequential, nn.Sequential]:
    """A network with computed weights, and one with plain layers that hold their values, computed by hand."""
    reparametrise, by_hand = KINDS[kind]
    one, plain = network(), network()
    for layer, other in zip(places(one), places(plain), strict=True):
        reparametrise(layer)
        with torch.no_grad():
            other.weight.copy_(by_hand(layer))
            if hasattr(layer, "bias_mask"):
                other.bias.copy_(layer.bias_orig * layer.bias_mask)
            else:
                other.bias.copy_(layer.bias)
    return one.eval(), plain


@pytest.mark.parametrize("run_before", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_computed_weights_is_that_of_the_same_weights_in_plain_layers(kind: str, frozen: bool, run_before: bool) -> None:
    module, baked = (wrapped(side).requires_grad_(not frozen) for side in pair(kind))
    before = baked(X)
    if run_before:
        assert torch.allclose(module(X), before, atol=1e-5)
    for name, copied in COPIES.items():
        copy, expected = copied(module), copied(baked)
        for ours, theirs in zip(layers_of(copy), layers_of(expected), strict=True):
            assert type(ours) is type(theirs)
            assert ours.weight.shape == theirs.weight.shape
            # a value halfway between two levels may go either way
            assert (ours.weight - theirs.weight).abs().le(1e-3).float().mean() > 0.97, name
        assert not torch.equal(copy(X), before), name
        assert sum(p.numel() for p in copy.parameters()) == sum(p.numel() for p in expected.parameters())
        assert sorted(copy.state_dict()) == sorted(expected.state_dict())
    assert torch.allclose(module(X), before, atol=1e-5)  # which is as it was


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_copy_uses_few_levels_and_a_pruned_one_has_its_zeros(kind: str) -> None:
    module, _ = pair(kind)
    for bits in (2, 3):
        for layer in layers_of(quantised(wrapped(module), bits)):
            dim = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
            for used in weights_in_use(layer):
                assert max(len(channel.unique()) for channel in used.movedim(dim, 0)) <= 2**bits - 1
    used = torch.cat([part.flatten() for layer in layers_of(pruned(wrapped(module), 0.7)) for part in weights_in_use(layer)])
    assert (used == 0).float().mean() >= 0.7 - 1e-3


class Hooked(nn.Linear):
    """Computes its weight anew before each call, by a hook of its own."""

    def __init__(self) -> None:
        super().__init__(72, 5)
        self.raw = nn.Parameter(self.weight.detach() * 2)
        del self._parameters["weight"]
        self.register_forward_pre_hook(lambda layer, _: setattr(layer, "weight", layer.raw.tanh()))
        self.weight = self.raw.detach().clone()


class Property(nn.Linear):
    """Has a weight that is no parameter at all."""

    weight = property(lambda self: self.raw.tanh())  # type: ignore[assignment]

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = 72, 5
        self.raw = nn.Parameter(torch.randn(5, 72))
        self.bias = None


class Standardised(nn.Linear):
    """Rounds to as few levels as its parameter; but a zero of this is none of what it uses."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight - 1, self.bias)


@pytest.mark.parametrize("layer", [Hooked, Property])
def test_weights_that_are_computed_in_an_unknown_way_are_refused_by_layer(layer: Callable[[], nn.Module]) -> None:
    one = wrapped(nn.Sequential(nn.Flatten(), layer()))
    for copied in (COPIES["quantised"], COPIES["pruned"]):
        with pytest.raises(SpecError, match=r"Layer module\.1 .* computes its weights anew whenever it is called"):
            copied(one)


def test_a_layer_whose_zeros_are_none_is_not_pruned_but_can_be_rounded() -> None:
    one = wrapped(nn.Sequential(nn.Flatten(), Standardised(72, 5)))
    assert max(len(row.unique()) for row in weights_in_use(layers_of(quantised(one, 2))[0])[0]) <= 3
    with pytest.raises(SpecError, match="fewer zeros"):
        pruned(one, 0.5)


def test_pruning_less_than_is_pruned_already_is_refused() -> None:
    once = pruned(wrapped(network()), 0.6)
    with pytest.raises(SpecError, match="60% of the weights are zero already"):
        pruned(once, 0.5)


def test_a_network_that_cannot_be_copied_is_refused_in_a_sentence() -> None:
    import threading

    one = network()
    one.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(SpecError, match="ModuleClassifier cannot be copied"):
        quantised(wrapped(one))
