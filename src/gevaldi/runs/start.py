"""A start, the unit of work: which latent to draw, under which condition, and in which order to search."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.errors import SpecError, UnknownName
from gevaldi.spec import Spec

if TYPE_CHECKING:
    from gevaldi.models import Label


@dataclass(frozen=True)
class Start:
    """One sample before its search.

    Attributes:
        index: its number in the run.
        seed: determines its noise, together with the step.
        condition: index of the generator's condition; None for a generator without conditions.
        order: forward or reverse.
        candidate: its number among the draws for this row, of which only the most promising is searched to the end.
    """

    index: int
    seed: int
    condition: int | None
    order: str
    candidate: int = 0


def start_at(index: int, spec: Spec, conditions: list[int]) -> Start:
    """The start of a row, determined by its index alone; both orders of one draw have neighbouring indices."""
    sample, place = divmod(index, len(spec.searches))
    condition = conditions[sample % len(conditions)] if conditions else None
    return Start(index, sample_seed(spec.seed, sample), condition, spec.searches[place])


def starts(spec: Spec, conditions: list[int], done: Container[int] = ()) -> Iterator[Start]:
    """All starts of a run in order, except those whose rows are `done`."""
    indices = range(spec.samples * len(spec.searches))
    return (start_at(index, spec, conditions) for index in indices if index not in done)


def candidates(start: Start, count: int) -> list[Start]:
    """`count` draws for one row; the first is the start itself."""
    return [start, *(replace(start, seed=sample_seed(start.seed, i), candidate=i) for i in range(1, count))]


def sample_seed(run_seed: int, sample: int) -> int:
    """A sample's own 63-bit seed: independent of the number of samples, and different for all samples and runs."""
    state = np.random.SeedSequence(run_seed, spawn_key=(sample,)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def chosen_conditions(spec: Spec, known: "tuple[Label, ...]") -> list[int]:
    """The indices of the conditions that a spec names, by default all of the generator's.

    Raises:
        UnknownName, SpecError: a condition is unknown, or the generator takes none.
    """
    if spec.conditions is None:
        return list(range(len(known)))
    if not known:
        raise SpecError(f"conditions={list(spec.conditions)} was given, but {spec.generator} takes no condition. Leave it out.")
    return [_condition(wanted, known) for wanted in spec.conditions]


def _condition(wanted: int | str, known: "tuple[Label, ...]") -> int:
    matches = [i for i, label in enumerate(known) if str(wanted) in (label.name, label.id)]
    if len(matches) == 1:
        return matches[0]
    if str(wanted).isdecimal() and int(wanted) < len(known):
        return int(wanted)
    if matches:
        raise SpecError(f"The condition {wanted!r} is the name of {len(matches)} classes; give one of their indices {matches}.")
    names = [name for label in known for name in (label.name, label.id) if name]
    raise UnknownName("condition", str(wanted), names)
