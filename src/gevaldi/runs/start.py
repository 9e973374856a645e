"""A start, the unit of work: what to draw, what to ask the generator for, and which way to search."""

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
        seed: all its noise is a function of this and of the step.
        condition: index of what the generator is asked for; None for a generator without conditions.
        order: forward or reverse.
        candidate: which of several draws for this row it is, where the most promising is searched from.
    """

    index: int
    seed: int
    condition: int | None
    order: str
    candidate: int = 0


def start_at(index: int, spec: Spec, conditions: list[int]) -> Start:
    """The start of a row, from its number alone: both orders of one draw are neighbours."""
    sample, place = divmod(index, len(spec.searches))
    condition = conditions[sample % len(conditions)] if conditions else None
    return Start(index, sample_seed(spec.seed, sample), condition, spec.searches[place])


def starts(spec: Spec, conditions: list[int], done: Container[int] = ()) -> Iterator[Start]:
    """All starts of a run in turn, but for those whose rows are `done`."""
    indices = range(spec.samples * len(spec.searches))
    return (start_at(index, spec, conditions) for index in indices if index not in done)


def candidates(start: Start, count: int) -> list[Start]:
    """So many draws for one row, of which the first is that of the start itself."""
    return [start, *(replace(start, seed=sample_seed(start.seed, i), candidate=i) for i in range(1, count))]


def sample_seed(run_seed: int, sample: int) -> int:
    """A sample's own seed: the same whatever the number of samples, different for all samples and runs; 63 bits."""
    state = np.random.SeedSequence(run_seed, spawn_key=(sample,)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def chosen_conditions(spec: Spec, known: "tuple[Label, ...]") -> list[int]:
    """The indices of the conditions that a spec names; all that the generator knows if it names none.

    Raises:
        UnknownName, SpecError: a condition is not known, or the generator takes none.
    """
    if spec.conditions is None:
        return list(range(len(known)))
    if not known:
        raise SpecError(f"conditions={list(spec.conditions)} were given, but {spec.generator} takes no condition. Leave them out.")
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
