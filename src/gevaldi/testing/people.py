"""Simulated people of a study, whose behaviour is known: what an analysis of their answers must recover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

STEPS = 5  # of certainty
MOST_SHIFT = 0.5


@dataclass(frozen=True)
class SimulatedPeople:
    """People who choose between two classifiers before and after they see the pictures of an arm.

    Attributes:
        changes: for each arm, the probability that a person changes the choice.
        surer: for each arm, the mean change of certainty in steps, from -0.5 to 0.5; 0 for others.
        prefers_first: the probability of choosing the first classifier before.
        inattentive: the share that answers everything at random, attention checks included.
        seed: of all their answers.
    """

    changes: Mapping[str, float]
    surer: Mapping[str, float] = field(default_factory=dict)
    prefers_first: float = 0.5
    inattentive: float = 0.0
    seed: int = 0

    def outcome(self, arm: str, number: int, checks: Sequence[int] = (4,), right: Sequence[int] = (2,)) -> dict[str, Any]:
        """The choices of one person before and after (first or second), both certainties from 1 to 5, and the answers to checks.

        Args:
            arm: what the person sees.
            number: of the person; the same person always answers alike.
            checks: how many choices each attention check has.
            right: the place of the right answer of each.
        """
        random = np.random.default_rng([self.seed, number])
        attentive = bool(random.random() >= self.inattentive)
        first = bool(random.random() < (self.prefers_first if attentive else 0.5))
        changed = bool(random.random() < (self.changes[arm] if attentive else 0.5))
        sure, later = (int(n) for n in random.integers(1, STEPS + 1, 2))
        if attentive:
            sure = 2 + sure % 3
            later = sure + self._step(arm, float(random.random()))
        answers = [int(random.integers(count)) for count in checks]
        return {
            "before": "first" if first else "second",
            "after": "first" if first != changed else "second",
            "sure_before": sure,
            "sure_after": later,
            "attention": [*right] if attentive else answers,
        }

    def _step(self, arm: str, chance: float) -> int:
        """One step up or down, or none: up and down with a quarter each, moved by half of the mean."""
        shift = self.surer.get(arm, 0.0) / 2
        return 1 if chance < 0.25 + shift else -1 if chance > 0.75 + shift else 0

    def rows(self, study: Mapping[str, Any], arms: Sequence[str], right: Sequence[int], number: int) -> list[dict[str, Any]]:
        """The answers of one person as jsPsych stores them, one row a trial.

        Args:
            study: the data of its page, `Study.data`.
            arms: the names of its arms.
            right: the right answers of its attention checks.
            number: of the person.
        """
        session = study["allocation"][number % len(study["allocation"])]
        checks = [len(check["choices"]) for check in study["attention"]]
        found = self.outcome(arms[session["arm"]], number, checks, right)
        place = {side: int(side != session["a"]) for side in ("first", "second")}
        tasks: list[tuple[str, Any]] = [("consent", 0), ("instructions", 0)]
        tasks += [("choice", place[found["before"]]), ("sure", found["sure_before"] - 1)]
        tasks += [("picture", 0) for _ in session["order"]]
        tasks += [("attention", answer) for answer in found["attention"]]
        tasks += [("choice", place[found["after"]]), ("sure", found["sure_after"] - 1), ("comment", {"comment": ""})]
        who = {"study": study["id"], "person": f"simulated-{number}", "number": number}
        return [{**who, "task": task, "trial_index": i, "response": answer, "rt": 1000} for i, (task, answer) in enumerate(tasks)]
