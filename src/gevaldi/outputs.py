"""What the module of a classifier ends in: whether its outputs can be what they were declared to be."""

import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.errors import ContractError
from gevaldi.models import Classifier, Inputs, ModuleClassifier


def output_of(classifier: Classifier, pictures: Inputs, log_p: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
    """What the module of a classifier gives, or the log-probabilities where it has none."""
    with torch.no_grad():
        return classifier.raw(pictures.detach().clone()) if isinstance(classifier, ModuleClassifier) else log_p.detach()


def check_output(
    classifier: Classifier, output: Float[Tensor, "batch classes"], log_p: Float[Tensor, "batch classes"], role: str
) -> None:
    """Check that outputs are what they were declared to be, or the log-probabilities that every classifier gives.

    Raises:
        ContractError: they are something else, or none is finite.
    """
    if isinstance(classifier, ModuleClassifier):
        _check_declared_output(classifier, output, role)
    else:
        _check_normalised(log_p, role, "A Classifier's forward should end in log_softmax.")
    if not log_p.isfinite().any(-1).any():
        raise ContractError(f"The {role} gives no finite number on any of {len(log_p)} generated pictures.")


def refuse_decisions(output: Float[Tensor, "batch classes"], role: str) -> None:
    """Refuse what is no logit and no probability, whatever it was declared to be.

    Raises:
        ContractError: all are the same number, or there are two different ones only, the larger once for each picture.
    """
    several = output.unique()
    if len(several) == 1:
        raise ContractError(
            f"The {role} gives {several[0]:.3g} for every class on all {len(output)} generated pictures. Were its weights loaded, "
            "and does it end in one number per class?"
        )
    if len(several) == 2 and bool(((output == several[1]).sum(-1) == 1).all()):
        raise ContractError(
            f"The {role} gives {several[1]:.3g} for one class of each picture and {several[0]:.3g} for all others: decisions, "
            "through which no gradient passes, as after argmax, rounding, or a softmax of very large numbers. Give what it "
            "computes before that, with output='logits'."
        )


def _check_declared_output(classifier: ModuleClassifier, raw: Float[Tensor, "batch classes"], role: str) -> None:
    remedy = "Say what the module ends in: gevaldi.classifier(..., output='logits'|'log-probabilities'|'probabilities')."
    if classifier.output == "logits":
        if _are_probabilities(raw):
            raise ContractError(f"The {role} gives probabilities, but was declared to give logits. {remedy}")
        if _are_shares(raw):
            raise ContractError(
                f"The {role} gives numbers from {raw.min():.3g} to {raw.max():.3g} that add up to {raw[0].sum():.4g} each time, "
                "as percentages do, but was declared to give logits. Divide them by that, and say output='probabilities'."
            )
    elif classifier.output == "log-probabilities":
        _check_normalised(raw, role, remedy)
    elif bool((raw < 0).any()) or not _are_probabilities(raw[raw.isfinite().all(-1)]):
        raise ContractError(
            f"The {role} was declared to give probabilities, but gives numbers from {raw.min():.3g} to {raw.max():.3g} whose rows "
            f"add up to {raw.sum(-1).min():.3g} to {raw.sum(-1).max():.3g}. {remedy}"
        )


def logits_in_unit_interval(classifier: Classifier, raw: Float[Tensor, "batch classes"], role: str) -> list[str]:
    """A warning about logits in [0, 1], unless the network's package says that it gives logits."""
    declared = isinstance(classifier, ModuleClassifier) and classifier.output == "logits"
    if not declared or classifier.official or not bool(((raw >= 0) & (raw <= 1)).all()):
        return []
    return [
        f"All outputs of the {role} lie in [0, 1] on generated pictures (from {raw.min():.3g} to {raw.max():.3g}), where logits "
        "were declared. Does it end in a sigmoid, or another function into [0, 1]? Leave that out of the module."
    ]


def _are_probabilities(raw: Tensor) -> bool:
    return bool((raw >= 0).all() and ((raw.sum(-1) - 1).abs() < 1e-3).all())


def _are_shares(raw: Tensor) -> bool:
    """Whether different rows of numbers from 0 add up to the same, as logits do by no chance."""
    totals = raw.sum(-1)
    alike = bool((raw == raw[:1]).all()) or len(raw) < 2
    return not alike and bool((raw >= 0).all()) and bool(((totals - totals[0]).abs() <= 1e-4 * totals[0]).all())


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
