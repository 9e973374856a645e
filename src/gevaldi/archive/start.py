"""Grows the archive of a run over pairs of classes, and writes it into the run's folder."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gevaldi.archive.pairs import FOLDER, Pairs, write_pairs
from gevaldi.batches import in_blocks
from gevaldi.errors import ContractError, GevaldiError, SpecError, describe_error
from gevaldi.mass.stored import StoredDraws
from gevaldi.objective import Evaluate, within
from gevaldi.pictures._levels import in_levels
from gevaldi.runs.encoding import encode_png
from gevaldi.runs.start import chosen_conditions
from gevaldi.runs.worker.setup import Models
from gevaldi.search.map_elites import Answers, Archive, MapElites
from gevaldi.spec import Spec

if TYPE_CHECKING:
    from gevaldi.engines.base import Job

QUERIES, MOST_QUERIES = 10_000, 10_000_000
MAP_ELITES = MapElites()


def grow_archive(job: "Job", queries: int = QUERIES) -> Pairs:
    """Grow the archive of an open run to so many queries, and write its pictures into the run's folder.

    A query is one picture on which both classifiers answer. Answers are stored, so a search that is killed goes on where it
    was, and a longer one begins with the answers of the earlier one.

    Args:
        job: the run with its models.
        queries: rounded up to whole generations.

    Raises:
        SpecError: the number is out of range.
        RunFolderError: the folder cannot be written, or earlier answers cannot be read.
    """
    if not 1 <= queries <= MOST_QUERIES:
        raise SpecError(f"{queries:,} queries were requested; 1 to {MOST_QUERIES:,} are possible.")
    models, spec = job.models, job.run.spec
    conditions = chosen_conditions(spec, models.generator.conditions)
    asked = StoredQueries(job)
    growing = MAP_ELITES.grow(asked.answers, models.generator.prior, conditions or [0], spec.seed)
    archive: Archive = {}
    generations = -(-queries // MAP_ELITES.population)
    try:
        for number in range(1, generations + 1):
            archive = next(growing)
            job.progress.rows(number * MAP_ELITES.population, generations * MAP_ELITES.population)
    finally:
        asked.stored.flush()
    return write_pairs(job.run, Pairs(generations * MAP_ELITES.population, pairs_of(archive, models, asked.evaluate)))


class StoredQueries:
    """What both classifiers answer to the latents of a generation; what was asked before is read from the run's folder."""

    def __init__(self, job: "Job") -> None:
        self.models, self.spec = job.models, job.run.spec
        self.stored = StoredDraws(job.run.folder / FOLDER / "queries", f"{self.spec.fingerprint} {MAP_ELITES.model_dump_json()}")
        self.evaluate = evaluate_of(self.models, self.spec)
        table = self.stored.table()
        self.columns = {name: table[name].to_numpy() for name in ("index", "first", "second", "divergence")}

    def answers(self, number: int, z: Tensor, condition: Tensor) -> Answers:
        """The answers of a generation."""
        indices = np.arange(number * len(z), (number + 1) * len(z))
        z, condition = z.to(self.models.device, self.models.plan.dtype), condition.to(self.models.device)
        places = np.searchsorted(self.columns["index"], indices)
        if places[-1] < len(self.columns["index"]) and np.array_equal(self.columns["index"][places], indices):
            mass, prior = self.spec.search.typical_mass, self.models.generator.prior
            first, second, value = (torch.from_numpy(self.columns[name][places]) for name in ("first", "second", "divergence"))
            return Answers(z if mass is None else prior.project(z, mass), first, second, value)
        try:
            now = self.evaluate(z, condition, torch.zeros_like(condition, dtype=torch.bool))
        except GevaldiError:
            raise
        except Exception as error:  # whatever the user's networks may raise
            raise ContractError(
                f"A network fails on pictures of the generator: {describe_error(error)}. Answers so far are stored; the same call "
                "goes on with them."
            ) from error
        value = now.divergence.float()  # as it is stored, so that a search that goes on prefers the same
        answers = Answers(now.z, now.log_p.argmax(1), now.log_q.argmax(1), value)
        columns = {"condition": condition, "first": answers.first, "second": answers.second, "divergence": value}
        self.stored.put([{"index": indices, **{name: column.cpu().numpy() for name, column in columns.items()}}])
        return answers


def evaluate_of(models: Models, spec: Spec) -> Evaluate:
    """The divergence within the prior, without a gradient."""
    evaluate = in_blocks([replace(models.objective(0.0), has_gradient=False)], models.plan.block or models.plan.batch_size)
    return within(evaluate, models.generator.prior, spec.search.typical_mass)


def pairs_of(archive: Archive, models: Models, evaluate: Evaluate) -> list[dict[str, Any]]:
    """The disagreements of an archive with their pictures, the most divergent first."""
    elites = [elite for (first, second), elite in archive.items() if first != second]
    if not elites:
        return []
    z = torch.stack([elite.z for elite in elites]).to(models.device)
    condition = torch.tensor([elite.condition for elite in elites], device=models.device)
    there = evaluate(z, condition, torch.zeros_like(condition, dtype=torch.bool))
    typicality = models.generator.prior.typicality(there.z).tolist()
    names, generator = [label.name for label in models.first.labels], models.generator
    rows = []
    for i, levels in enumerate(in_levels(there.pictures)):
        first, second = int(there.log_p[i].argmax()), int(there.log_q[i].argmax())
        rows.append(
            {
                "first_class": names[first],
                "second_class": names[second],
                "condition": generator.conditions[elites[i].condition].name if generator.conditions else None,
                "divergence": float(there.divergence[i]),
                "first_probability": float(there.log_p[i, first].exp()),
                "second_probability": float(there.log_q[i, second].exp()),
                "typicality": typicality[i],
                "picture": encode_png(levels),
            }
        )
    return sorted((row for row in rows if row["first_class"] != row["second_class"]), key=lambda row: -row["divergence"])
