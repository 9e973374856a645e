"""How often the condition is the wrong label of a generated picture, as far as a run knows."""

from collections.abc import Sequence

import numpy as np

from gevaldi.names import full_name
from gevaldi.runs.opinions import opinion_of
from gevaldi.runs.store.run import Run

ADVICE = "Have people label the pictures (--to label-studio), or file them by --label agreed, first or second."


def condition_notes(run: Run, readers: np.ndarray, stages: Sequence[str]) -> list[str]:
    """What the classifiers, the referee and the audit say of the condition as a label, in sentences.

    Args:
        run: the run.
        readers: (pictures,), the number of classifiers whose top class is the condition, of pictures whose condition is a class.
        stages: of the pictures.
    """
    if not len(readers):
        return ["The conditions are not classes of the classifiers; use --label agreed, first or second to file by class."]
    neither, one = int((readers == 0).sum()), int((readers == 1).sum())
    sentences = [
        "The label is the class requested from the generator, which a picture need not show: of "
        f"{_pictures(len(readers))}, neither classifier names it on {neither:,}, and only one of them on {one:,}."
    ]
    opinion = opinion_of(run) if "end" in stages else None
    if opinion is not None and opinion.asked:
        sentences.append(
            f"The referee, {full_name(opinion.name)}, names it on {opinion.read:,} of {_pictures(opinion.asked)} on which the "
            "two differ after the search."
        )
    drawn = (run.record.get("audit") or {}).get("generated") or {}
    if drawn.get("known_first") and drawn.get("known_second"):
        read = " and ".join(f"{drawn[f'read_{side}']:,} of {drawn[f'known_{side}']:,}" for side in ("first", "second"))
        sentences.append(f"In the audit, before any search, the two name it on {read} pictures.")
    return [*sentences, ADVICE]


def _pictures(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"
