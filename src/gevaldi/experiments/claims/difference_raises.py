"""A larger difference in capacity raises the divergence's growth and its end."""

from gevaldi.errors import SpecError
from gevaldi.experiments.evidence import Evidence, Finding, column, judged
from gevaldi.runs.schema import Row

EARLY = 10  # steps over which growth is looked at, before searches begin to converge


def difference_raises(evidence: Evidence, *, of: str, alike: list[str], different: list[str]) -> Finding:
    """The mean divergence at the `end`, or its `growth` a step over the first ten, is larger in `different` than in `alike` pairs.

    Raises:
        SpecError: it is to be shown of something else.
    """
    quantities = {"end": column("divergence_end"), "growth": _growth}
    if of not in quantities:
        raise SpecError(f"of={of} was given; end or growth was expected.")
    weights = dict.fromkeys(different, 1 / len(different)) | dict.fromkeys(alike, -1 / len(alike))
    said = {"end": "end, nats", "growth": f"growth over {EARLY} steps, nats a step"}[of]
    measured = {f"{said}: different less alike": evidence.contrast(weights, quantities[of])}
    apart = {f"{said}: {run}": evidence.contrast({run: 1.0}, quantities[of]) for run in weights}
    return judged(measured, evidence.rests_on(*weights), apart)


def _growth(row: Row) -> float | None:
    path = row["path_divergence"]
    return (path[min(EARLY, len(path) - 1)] - path[0]) / EARLY if path else None
