"""Both sides of the contract between generator and classifiers, checked by a probe before a run begins."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.alignment import Aligned
from gevaldi.errors import ContractError, describe_error
from gevaldi.models import Classifier, Generator, ModuleClassifier, Pictures, passes_gradients
from gevaldi.outputs import check_output, logits_in_unit_interval, output_of, refuse_decisions
from gevaldi.probe import Probe
from gevaldi.wrappers.listening import Listening

PROBES = 4
SAME, NEAR, FAR = 1e-6, 0.1, 0.5  # mean total variation of classifiers that agree, nearly agree, and do not
RANGE_TOLERANCE = 1e-4  # by which a picture may leave [0, 1] before it is refused; half precision rounds by more than nothing


@contextmanager
def on_device(
    *modules: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32, channels_last: bool = False
) -> Iterator[None]:
    """Modules on the device, in `dtype` and without parameter gradients for a while; they are given back as they were.

    With `channels_last`, weights of convolutions lie in that order, in which convolutions are computed faster on many devices.

    Parameter gradients are not needed, and keeping what they would need costs memory. Numbers of other kinds than float32 and
    float64, such as the half precision of a network that is compared as it will be deployed, are left as they are. On a GPU,
    convolutions in float32 do not round to TF32, torch's default, in which a picture differs alone and in a batch.
    """
    tracked = [p for module in modules for p in module.parameters() if p.requires_grad]
    homes = [next((t.device for t in (*module.parameters(), *module.buffers())), device) for module in modules]
    exact: list[tuple[Tensor, Tensor]] = []
    reordered: list[Tensor] = []
    tf32 = torch.backends.cudnn.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = False
        for p in tracked:
            p.requires_grad_(False)
        for module in modules:
            module.to(device)
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.dtype in (torch.float32, torch.float64) and tensor.dtype != dtype:
                    exact.append((tensor, tensor.data))
                    tensor.data = tensor.data.to(dtype)
                if channels_last and tensor.dim() == 4 and not tensor.is_contiguous(memory_format=torch.channels_last):
                    reordered.append(tensor)
                    tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = tf32
        for tensor in reordered:
            tensor.data = tensor.data.contiguous()
        for tensor, data in exact:
            tensor.data = data
        for p in tracked:
            p.requires_grad_(True)
        for module, home in zip(modules, homes, strict=True):
            module.to(home)


def check_contract(
    first: Classifier, second: Classifier, generator: Generator, device: torch.device, dtype: torch.dtype = torch.float32
) -> list[str]:
    """Generate a few pictures, classify them, take a gradient, and compare with what was promised.

    Returns:
        Warnings: what is odd but can be compared all the same.

    Raises:
        ContractError: a promise is broken; it says which, by whom, and what to do.
    """
    classifiers = {"first classifier": first, "second classifier": second}
    for role, module in {**classifiers, "generator": generator}.items():
        check_mode(module, role)
    z = generator.prior.sample(range(PROBES)).to(device, dtype).requires_grad_()
    condition = torch.arange(PROBES, device=device) % max(1, len(generator.conditions))
    with torch.enable_grad():
        pictures = _generated(generator, z, condition)
        predictions = {role: _classified(classifier, pictures, role) for role, classifier in classifiers.items()}
        for role, (log_p, _) in predictions.items():
            if passes_gradients(classifiers[role]):
                _check_gradient(log_p, pictures, z, role)
    warnings = [warning for _, warned in predictions.values() for warning in warned]
    return [*_check_labels(first, second, pictures), *warnings, *_check_contrast(pictures)]


@torch.no_grad()
def refuse_same(first: Classifier, second: Classifier, generator: Generator, names: tuple[str, str], device: torch.device) -> None:
    """Refuse two classifiers with equal weights and equal predictions, since a search between them can find nothing.

    Equal weights alone do not make two networks one: their preprocessing, temperature or labels may differ.

    Raises:
        ContractError: they are the same network.
    """
    if not _have_equal_weights(first, second):
        return
    condition = torch.arange(PROBES, device=device) % max(1, len(generator.conditions))
    with on_device(first, second, generator, device=device):
        try:
            pictures = generator(generator.prior.sample(range(PROBES)).to(device, torch.float32), condition)
            equal = torch.equal(first(pictures.clone()), second(pictures.clone()))
        except Exception:  # the contract says what fails
            return
    if equal:
        one, other = names
        who = f"{one} is compared with itself" if one == other else f"{one} and {other} are the same network"
        raise ContractError(
            f"{who}: weights and predictions are equal, so no picture can tell the two apart, and nothing was searched. Name "
            "another second classifier."
        )


def _have_equal_weights(first: Classifier, second: Classifier) -> bool:
    """Whether all parameters and buffers are equal, whatever they are called."""
    sides = [[*(side.inner if isinstance(side, Aligned) else side).state_dict().values()] for side in (first, second)]
    return len(sides[0]) == len(sides[1]) and all(
        a is b or (a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)) for a, b in zip(*sides, strict=True)
    )


def _generated(generator: Generator, z: Tensor, condition: Int[Tensor, " batch"]) -> Pictures:
    """Pictures with a gradient to the latents, from a generator that answers the questions of the probe."""

    def check(pictures: Any, batch: tuple[Tensor, ...]) -> None:
        if not isinstance(pictures, Tensor) or len(pictures) != len(batch[0]):
            came = getattr(pictures, "shape", type(pictures))
            raise ContractError(f"The generator gave {came} for {len(batch[0])} latents; one picture each was expected.")
        check_pictures(pictures, "generator")

    pictures = Probe("generator", partial(_generate, generator), check, (z, condition), "latents", "pictures").answer()
    if not pictures.requires_grad:
        raise ContractError(
            "The generator's pictures carry no gradient to the latent: does it run under torch.no_grad, or round to 8 bits?"
        )
    return pictures


def _classified(classifier: Classifier, pictures: Pictures, role: str) -> tuple[Float[Tensor, "batch classes"], list[str]]:
    """Log-probabilities with a gradient to the latents, and warnings, from a classifier that answers the questions of the probe."""
    inner = classifier.inner if isinstance(classifier, Aligned) else classifier

    def check(log_p: Any, batch: tuple[Tensor, ...]) -> None:
        _check_form(inner, log_p, len(batch[0]), role)

    log_p = Probe(role, partial(classify, inner, role=role), check, (pictures,), "pictures", "predictions").answer()
    module, seen = _module(inner, pictures)
    output = output_of(module, seen, log_p)
    refuse_decisions(output, role)
    check_output(module, output, log_p, role)
    log_p = log_p if inner is classifier else check_classifier(classifier, pictures.clone(), role)
    return log_p, logits_in_unit_interval(module, output, role)


def _module(classifier: Classifier, pictures: Pictures) -> tuple[Classifier, Tensor]:
    """The classifier itself and what it takes, which is sound where it hears the pictures."""
    return (classifier.inner, classifier.waveforms(pictures)) if isinstance(classifier, Listening) else (classifier, pictures)


def check_mode(module: nn.Module, role: str) -> None:
    """Refuse a module in training mode, in which a sample depends on its batch and on chance.

    Raises:
        ContractError: some part of it is in training mode.
    """
    training = [name or type(part).__name__ for name, part in module.named_modules() if part.training]
    if training:
        raise ContractError(
            f"The {role} is in training mode ({_some(training)}), where dropout and batch normalisation make a result depend on "
            "chance and on the batch. Call .eval() on it first."
        )


def check_pictures(pictures: Tensor, role: str) -> None:
    """Refuse what is not a batch of pictures in [0, 1].

    Raises:
        ContractError: the shape or the range is another.
    """
    if pictures.dim() != 4 or pictures.shape[1] not in (1, 3):
        raise ContractError(
            f"The {role} gave pictures of shape {tuple(pictures.shape)}; (batch, 1 or 3 channels, height, width) was expected."
        )
    known = pictures.nan_to_num(nan=0.5, posinf=math.inf, neginf=-math.inf)  # a picture of NaN fails as a sample, not as a run
    low, high = known.min().item(), known.max().item()
    if low < -RANGE_TOLERANCE or high > 1 + RANGE_TOLERANCE:
        raise ContractError(
            f"The {role} gave pictures that range from {low:.3g} to {high:.3g}; [0, 1] was expected. "
            "Say which range it has, gevaldi.generator(..., output_range=(-1, 1)) for one that ends in tanh, or clamp it."
        )


def check_classifier(classifier: Classifier, pictures: Pictures, role: str) -> Float[Tensor, "batch classes"]:
    """What a classifier says of pictures, if it is log-probabilities over its labels.

    Raises:
        ContractError: it fails on the pictures, or gives logits, probabilities, or another number of classes.
    """
    log_p: Tensor = classify(classifier, pictures, role)
    _check_form(classifier, log_p, len(pictures), role)
    module, seen = _module(classifier, pictures)
    check_output(module, output_of(module, seen, log_p), log_p, role)
    return log_p


def classify(classifier: Classifier, pictures: Pictures, role: str) -> Any:
    """What a classifier says of pictures, which was not looked at yet.

    Raises:
        ContractError: it fails on the pictures.
    """
    for values in (classifier.mean, classifier.std) if isinstance(classifier, ModuleClassifier) else ():
        if values.shape[1] not in (1, pictures.shape[1]):
            raise ContractError(
                f"The {role} has mean and std of {values.shape[1]} channels, but the pictures have {pictures.shape[1]}. "
                "Give one number per channel, or let the module itself bring the pictures to the channels that it needs."
            )
    try:
        return classifier(pictures)
    except Exception as error:
        raise ContractError(f"The {role} fails on pictures of shape {tuple(pictures.shape)}. {describe_error(error)}") from error


def _hint(log_p: Any) -> str:
    return " Does it end in argmax? Leave that out." if isinstance(log_p, Tensor) and log_p.dim() == 1 else ""


def _check_form(classifier: Classifier, log_p: Any, count: int, role: str) -> None:
    if not isinstance(log_p, Tensor) or log_p.dim() != 2 or len(log_p) != count:
        found = tuple(log_p.shape) if isinstance(log_p, Tensor) else type(log_p).__name__
        raise ContractError(f"The {role} gave {found}; log-probabilities of shape ({count}, classes) were expected.{_hint(log_p)}")
    if log_p.shape[1] == 1:
        raise ContractError(
            f"The {role} gives one number for each picture; one for each class was expected. A logit x for two classes "
            "becomes two in the module: torch.cat([torch.zeros_like(x), x], 1)."
        )
    if log_p.shape[1] != len(classifier.labels):
        raise ContractError(
            f"The {role} gives {log_p.shape[1]} classes but has {len(classifier.labels)} labels. Give it one label per class."
        )


def _generate(generator: Generator, z: Tensor, condition: Int[Tensor, " batch"]) -> Any:
    try:
        return generator(z, condition)
    except Exception as error:
        raise ContractError(
            f"The generator fails on latents of shape {tuple(z.shape)}, as its prior draws them, with conditions "
            f"{condition.tolist() if generator.conditions else 'none'}. {describe_error(error)}. "
            "Does the latent's size fit the module? "
            "A module of a generator with conditions takes two arguments, (latents, condition indices); without, one."
        ) from error


def _check_gradient(log_p: Float[Tensor, "batch classes"], pictures: Pictures, z: Tensor, role: str) -> None:
    if not log_p.requires_grad:
        raise ContractError(
            f"No gradient passes through the {role}: does it run under torch.no_grad, or leave torch?"
            " A model that is only an answer is compared as function:FILE.py:FUNCTION."
        )
    # Without the first class, because all together are normalised and so have hardly a gradient.
    score = torch.where(log_p.isfinite(), log_p, 0.0)[:, 1:].sum()
    _derivative(score, pictures, role)
    gradient = _derivative(score, z, "generator")
    if gradient is None or not bool((gradient != 0).any()):
        raise ContractError(
            f"The gradient of the {role}'s predictions with respect to the latent is zero: the search would not move. Is something "
            "rounded, detached, or computed from other pictures? Or are mean, std or the range of pictures wrong, so that it is "
            "equally sure whatever it is shown?"
        )


def _derivative(score: Tensor, of: Tensor, role: str) -> Tensor | None:
    try:
        (gradient,) = torch.autograd.grad(score, of, allow_unused=True, retain_graph=True)
    except Exception as error:
        raise ContractError(
            f"The gradient through the {role} cannot be computed. {describe_error(error)}. Does it change in place what the "
            "gradient needs, or use a function without a derivative?"
        ) from error
    return gradient


def _check_contrast(pictures: Pictures) -> list[str]:
    low, high = pictures.nan_to_num(0.5).min().item(), pictures.nan_to_num(0.5).max().item()
    if high - low > 0.05:
        return []
    return [
        f"The generator's pictures use only {low:.3g} to {high:.3g} of [0, 1]: they are nearly of one colour. "
        "Is its output_range what its module gives?"
    ]


def _check_labels(first: Classifier, second: Classifier, pictures: Pictures) -> list[str]:
    if len(first.labels) != len(second.labels):
        raise ContractError(
            f"The first classifier has {len(first.labels)} classes and the second {len(second.labels)}; "
            "they are compared over the same classes in the same order, which gevaldi.compare brings about where labels have ids."
        )
    names = [(i, a.name, b.name) for i, (a, b) in enumerate(zip(first.labels, second.labels, strict=True)) if a.name != b.name]
    odd = _check_order(first, second, pictures)
    if not names:
        return odd
    i, a, b = names[0]
    return [
        f"{len(names)} classes bear different names in the two classifiers; class {i} is {a!r} and {b!r}. Is their order the same?",
        *odd,
    ]


def _check_order(first: Classifier, second: Classifier, pictures: Pictures) -> list[str]:
    """That a network does not differ from itself, nor nearly equal networks throughout, because of their labels.

    Raises:
        ContractError: both give the same outputs, and their labels pair different ones.
    """
    sides = (first, second)
    inner = [side.inner if isinstance(side, Aligned) else side for side in sides]
    labels = list(zip(inner[0].labels, inner[1].labels, strict=False))
    if all(a == b for a, b in labels) or len(inner[0].labels) != len(inner[1].labels):
        return []
    with torch.no_grad():
        p, q = (side(pictures.detach().clone()).exp() for side in inner)
        paired = [side(pictures.detach().clone()).exp() for side in sides]
    near, far = ((a - b).abs().sum(-1).mean().item() / 2 for a, b in ((p, q), paired))
    i, a, b = next((i, a.name, b.name) for i, (a, b) in enumerate(labels) if a != b)
    same = f"output {i} is called {a!r} by the first and {b!r} by the second"
    if torch.equal(p, q) and far > SAME:
        raise ContractError(
            f"Both classifiers give the same outputs, but under other labels: {same}. A network cannot differ from itself. Give "
            "both the labels in the order of the outputs, for example dataset.class_to_idx."
        )
    if near > NEAR or far < FAR:
        return []
    return [
        f"The two classifiers nearly agree output by output (total variation {near:.2g}), but not under their labels ({far:.2g}): "
        f"{same}. Are the labels of one in another order than its outputs?"
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
