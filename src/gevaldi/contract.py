"""Both sides of the contract between generator and classifiers, checked by a probe before a run begins."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.alignment import Aligned
from gevaldi.errors import ContractError, describe_error
from gevaldi.models import Classifier, Generator, ModuleClassifier, Pictures

PROBES = 4
RANGE_TOLERANCE = 1e-4  # by which a picture may leave [0, 1] before it is refused; half precision rounds by more than nothing


@contextmanager
def on_device(
    *modules: nn.Module, device: torch.device, dtype: torch.dtype = torch.float32, channels_last: bool = False
) -> Iterator[None]:
    """Modules on the device, in `dtype` and without parameter gradients for a while; they are given back as they were.

    With `channels_last`, weights of convolutions lie in that order, in which convolutions are computed faster on many devices.

    Parameter gradients are not needed, and keeping what they would need costs memory. Numbers of other kinds than float32 and
    float64, such as the half precision of a network that is compared as it will be deployed, are left as they are.
    """
    tracked = [p for module in modules for p in module.parameters() if p.requires_grad]
    homes = [next((t.device for t in (*module.parameters(), *module.buffers())), device) for module in modules]
    exact: list[tuple[Tensor, Tensor]] = []
    reordered: list[Tensor] = []
    try:
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
    for role, module in {"first classifier": first, "second classifier": second, "generator": generator}.items():
        check_mode(module, role)
    z = generator.prior.sample(range(PROBES)).to(device, dtype).requires_grad_()
    condition = torch.arange(PROBES, device=device) % max(1, len(generator.conditions))
    with torch.enable_grad():
        pictures = _generate(generator, z, condition)
        for role, aligned in {"first classifier": first, "second classifier": second}.items():
            if isinstance(aligned, Aligned):
                check_classifier(aligned.inner, pictures, role)
        log_p = check_classifier(first, pictures, "first classifier")
        log_q = check_classifier(second, pictures, "second classifier")
        _check_gradient(log_p, z, "first classifier")
        _check_gradient(log_q, z, "second classifier")
    _check_batch(generator, z, condition, pictures)
    for role, module, log_probabilities in (("first classifier", first, log_p), ("second classifier", second, log_q)):
        _check_alone(module, pictures, log_probabilities, role)
    return [*_check_labels(first, second), *_check_contrast(pictures)]


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
    for values in (classifier.mean, classifier.std) if isinstance(classifier, ModuleClassifier) else ():
        if values.shape[1] not in (1, pictures.shape[1]):
            raise ContractError(
                f"The {role} has mean and std of {values.shape[1]} channels, but the pictures have {pictures.shape[1]}. "
                "Give one number per channel, or let the module itself bring the pictures to the channels that it needs."
            )
    try:
        log_p: Tensor = classifier(pictures)
    except Exception as error:
        raise ContractError(f"The {role} fails on pictures of shape {tuple(pictures.shape)}. {describe_error(error)}") from error
    if not isinstance(log_p, Tensor) or log_p.dim() != 2 or len(log_p) != len(pictures):
        found = tuple(log_p.shape) if isinstance(log_p, Tensor) else type(log_p).__name__
        raise ContractError(f"The {role} gave {found}; log-probabilities of shape ({len(pictures)}, classes) were expected.")
    if log_p.shape[1] != len(classifier.labels):
        raise ContractError(
            f"The {role} gives {log_p.shape[1]} classes but has {len(classifier.labels)} labels. Give it one label per class."
        )
    if isinstance(classifier, ModuleClassifier):
        _check_declared_output(classifier, pictures, role)
    else:
        _check_normalised(log_p, role, "A Classifier's forward should end in log_softmax.")
    if not log_p.isfinite().any(-1).any():
        raise ContractError(f"The {role} gives no finite number on any of {len(pictures)} generated pictures.")
    return log_p


def _check_declared_output(classifier: ModuleClassifier, pictures: Pictures, role: str) -> None:
    with torch.no_grad():
        raw = classifier.raw(pictures)
    remedy = "Say what the module ends in: gevaldi.classifier(..., output='logits'|'log-probabilities'|'probabilities')."
    if classifier.output == "logits":
        if _are_probabilities(raw):
            raise ContractError(f"The {role} gives probabilities, but was declared to give logits. {remedy}")
    elif classifier.output == "log-probabilities":
        _check_normalised(raw, role, remedy)
    elif bool((raw < 0).any()) or not _are_probabilities(raw[raw.isfinite().all(-1)]):
        raise ContractError(
            f"The {role} was declared to give probabilities, but gives numbers from {raw.min():.3g} to {raw.max():.3g} whose rows "
            f"add up to {raw.sum(-1).min():.3g} to {raw.sum(-1).max():.3g}. {remedy}"
        )


def _are_probabilities(raw: Tensor) -> bool:
    return bool((raw >= 0).all() and ((raw.sum(-1) - 1).abs() < 1e-3).all())


def _check_normalised(log_p: Tensor, role: str, remedy: str) -> None:
    if _are_probabilities(log_p):
        raise ContractError(f"The {role} gives probabilities; log-probabilities were expected. {remedy}")
    totals = log_p.cpu().double().logsumexp(-1).exp()
    if bool(((totals - 1).abs() > 1e-3).any()):
        kind = "logits, it seems" if bool((log_p > 0).any() or (totals > 1).any()) else "not normalised"
        raise ContractError(
            f"The {role} gives rows whose probabilities add up to {totals.min():.3g} to {totals.max():.3g} instead of 1 ({kind}); "
            f"log-probabilities were expected. {remedy}"
        )


def _generate(generator: Generator, z: Tensor, condition: Int[Tensor, " batch"]) -> Pictures:
    try:
        pictures: Tensor = generator(z, condition)
    except Exception as error:
        raise ContractError(
            f"The generator fails on latents of shape {tuple(z.shape)}, as its prior draws them, with conditions "
            f"{condition.tolist() if generator.conditions else 'none'}. {describe_error(error)}. "
            "Does the latent's size fit the module? "
            "A module of a generator with conditions takes two arguments, (latents, condition indices); without, one."
        ) from error
    if not isinstance(pictures, Tensor) or len(pictures) != len(z):
        raise ContractError(
            f"The generator gave {getattr(pictures, 'shape', type(pictures))} for {len(z)} latents; one picture each was expected."
        )
    check_pictures(pictures, "generator")
    if not pictures.requires_grad:
        raise ContractError(
            "The generator's pictures carry no gradient to the latent: does it run under torch.no_grad, or round to 8 bits?"
        )
    return pictures


def _check_gradient(log_p: Tensor, z: Tensor, role: str) -> None:
    if not log_p.requires_grad:
        raise ContractError(f"No gradient passes through the {role}: does it run under torch.no_grad, or leave torch?")
    # Without the first class, because all together are normalised and so have hardly a gradient.
    score = torch.where(log_p.isfinite(), log_p, 0.0)[:, 1:].sum()
    (gradient,) = torch.autograd.grad(score, z, allow_unused=True, retain_graph=True)
    if gradient is None or not bool((gradient != 0).any()):
        raise ContractError(
            f"The gradient of the {role}'s predictions with respect to the latent is zero: the search would not move. Is something "
            "rounded, detached, or computed from other pictures? Or are mean, std or the range of pictures wrong, so that it is "
            "equally sure whatever it is shown?"
        )


def _check_batch(generator: Generator, z: Tensor, condition: Tensor, pictures: Pictures) -> None:
    with torch.no_grad():
        alone = generator(z[:1].detach(), condition[:1])
    _refuse_difference(alone, pictures[:1], "generator", "pictures", 1e-3)


def _check_alone(classifier: Classifier, pictures: Pictures, together: Tensor, role: str) -> None:
    with torch.no_grad():
        alone = classifier(pictures[:1].detach())
    _refuse_difference(alone.exp(), together[:1].exp(), role, "probabilities", 1e-3)


def _refuse_difference(alone: Tensor, together: Tensor, role: str, what: str, tolerance: float) -> None:
    difference = (alone - together).abs().max().item()
    if difference > tolerance:
        raise ContractError(
            f"The {role} gives other {what} for a sample alone than in a batch of {PROBES} (by {difference:.2g}): it looks at its "
            "neighbours. Is a batch normalisation in training mode, or the batch size fixed?"
        )


def _check_contrast(pictures: Pictures) -> list[str]:
    low, high = pictures.nan_to_num(0.5).min().item(), pictures.nan_to_num(0.5).max().item()
    if high - low > 0.05:
        return []
    return [
        f"The generator's pictures use only {low:.3g} to {high:.3g} of [0, 1]: they are nearly of one colour. "
        "Is its output_range what its module gives?"
    ]


def _check_labels(first: Classifier, second: Classifier) -> list[str]:
    if len(first.labels) != len(second.labels):
        raise ContractError(
            f"The first classifier has {len(first.labels)} classes and the second {len(second.labels)}; "
            "they are compared over the same classes in the same order, which gevaldi.compare brings about where labels have ids."
        )
    names = [(i, a.name, b.name) for i, (a, b) in enumerate(zip(first.labels, second.labels, strict=True)) if a.name != b.name]
    if not names:
        return []
    i, a, b = names[0]
    return [
        f"{len(names)} classes bear different names in the two classifiers; class {i} is {a!r} and {b!r}. Is their order the same?"
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
