"""A batch that is kept full: who joins, who leaves, and that nobody notices the others."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gevaldi
from conftest import record, small_classifier, small_generator
from gevaldi.divergences import divergence
from gevaldi.errors import DeviceError, RunFolderError, SpecError
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.noise import Noise
from gevaldi.objective import Evaluation, Objective
from gevaldi.runs.start import candidates, starts
from gevaldi.runs.store import writer
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.writer import Writer
from gevaldi.runs.worker import search as worker
from gevaldi.runs.worker.setup import Models
from gevaldi.search import registry
from gevaldi.search.algorithms.base import Algorithm
from gevaldi.search.loop import NewSamples, Step, search
from gevaldi.search.probable import STEPS
from gevaldi.search.stopping import Stopping
from gevaldi.spec import Spec
from gevaldi.testing.worlds import linear_world

SLOPE = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


@dataclass(frozen=True)
class Count:
    """What an algorithm must not remember."""

    steps: int


def objective() -> Objective:
    return Objective(small_classifier(0), small_classifier(1), small_generator(), divergence("kl"), 0.0)


def models(**more: Any) -> Models:
    one = objective()
    parts = {"first": one.first, "second": one.second, "generator": one.generator, "divergence": one.divergence}
    others = {"algorithm": registry.build("adam"), "device": torch.device("cpu"), "plan": ExecutionPlan(small=True, block=8)}
    return Models(**(parts | others | more))


def spec(**settings: Any) -> Spec:
    return Spec(**({"first": "a", "second": "b", "generator": "g", "samples": 12, "search": {"steps": 15, "window": 5}} | settings))


def rows_of(spec: Spec, batch_size: int, models: Models) -> dict[int, dict[str, Any]]:
    found = worker.search_all(starts(spec, [0, 1, 2]), models, spec, batch_size)
    return {row["index"]: row for harvest in found for row in harvest.rows()}


def one_after_the_other(z: torch.Tensor, room: int) -> Callable[[int], Sequence[NewSamples]]:
    """Supplies samples for as long as there is room."""
    waiting = list(range(len(z)))

    def supply(searching: int) -> list[NewSamples]:
        new = [waiting.pop(0) for _ in range(min(room - searching, len(waiting)))]
        same = torch.zeros(len(new), dtype=torch.long)
        return [NewSamples(z[new], same, same.bool(), new, new)] if new else []

    return supply


@pytest.mark.parametrize("name", registry)
def test_a_sample_goes_the_same_way_whether_it_joins_a_batch_or_begins_it(name: str) -> None:
    z = torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def paths(room: int) -> dict[int, list[torch.Tensor]]:
        found: dict[int, list[torch.Tensor]] = {}
        supply = one_after_the_other(z, room)
        for step in search(linear_world(SLOPE, 0.5), supply, registry.build(name), Stopping(steps=12, window=4)):
            for place, number, latent in zip(step.batch.ids.tolist(), step.batch.steps.tolist(), step.evaluation.z, strict=True):
                assert number == len(found.setdefault(place, []))
                found[place].append(latent)
        return found

    whole = paths(9)
    for room in (1, 2, 4):
        assert {place: len(path) for place, path in paths(room).items()} == {place: len(path) for place, path in whole.items()}
        for place, path in paths(room).items():
            assert torch.allclose(torch.stack(path), torch.stack(whole[place]), rtol=1e-12)


def test_the_batch_is_full_while_there_are_starts_and_no_step_computes_a_finished_sample() -> None:
    z = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    left: set[int] = set()
    steps: list[Step] = []
    supply = one_after_the_other(z, 6)
    for step in search(linear_world(SLOPE, 0.5), supply, registry.build("adam"), Stopping(steps=60, window=3)):
        assert not left & set(step.batch.ids.tolist())
        left |= {int(step.batch.ids[i]) for i in step.leaving}
        steps.append(step)
    begun = np.maximum.accumulate([max(step.batch.ids.tolist()) for step in steps])
    assert all(len(step.batch.ids) == 6 for step, last in zip(steps, begun, strict=True) if last < 19)
    assert (
        len({max(step.batch.steps.tolist()) - min(step.batch.steps.tolist()) for step in steps}) > 1
    )  # they are at different steps
    assert left == set(range(20))


def test_networks_evaluate_no_more_than_the_paths_and_the_ends_need() -> None:
    calls = 0

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_classifier(1).module

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += len(x) * x.requires_grad
            return self.net(x)

    second = gevaldi.classifier(Counting(), labels=3).eval()
    rows = rows_of(spec(), 5, models(second=second, plan=ExecutionPlan()))
    ends = 2 * len(rows)  # those of the searches, and as far away in a random direction
    probable = (STEPS + 2) * len(rows)  # evaluations on the way to the most probable disagreements, and at them
    assert calls == sum(row["steps"] + 1 for row in rows.values()) + ends + probable


def test_a_goal_adds_the_most_probable_disagreements_or_ends_there() -> None:
    goals = ("both", "most divergent", "most probable")
    search = {"steps": 15, "window": 5, "margin": 0.02}
    both, divergent, probable = (rows_of(spec(search=search | {"goal": goal}), 5, models()) for goal in goals)
    columns = [key for key in both[0] if "probable" in key]
    for index, row in both.items():
        other = divergent[index]
        assert [other[key] for key in columns] == [None] * len(columns)
        assert all(np.array_equal(row[key], other[key]) for key in row if key not in columns and not key.startswith("path_set"))
    reached = [row for row in [*both.values(), *probable.values()] if row["probable_differs"]]
    assert reached
    for row in reached:
        assert row["first_probable"][0]["label"] != row["second_probable"][0]["label"]
    for row in probable.values():
        assert row["probable_differs"] == (row["first_end"][0]["label"] != row["second_end"][0]["label"])
        if row["probable_differs"]:
            assert row["picture_probable"] == row["picture_end"]
            assert row["path_log_prior"][row["step_end"]] == row["log_prior_probable"]


DIVERGENT = {"steps": 15, "window": 5, "goal": "most divergent"}


def test_rows_of_both_orders_in_one_batch_are_those_of_each_order_alone() -> None:
    alone = {order: rows_of(spec(search=DIVERGENT, orders=order), 8, models()) for order in ("forward", "reverse")}
    for batch_size in (1, 3, 24):
        both = rows_of(spec(search=DIVERGENT), batch_size, models())
        for place, (order, rows) in enumerate(alone.items()):
            for index, row in rows.items():
                other = both[2 * index + place]
                assert (other["order"], other["seed"]) == (order, row["seed"])
                assert other["path_divergence"] == pytest.approx(row["path_divergence"], rel=1e-4)
                assert [top["label"] for top in other["first_end"]] == [top["label"] for top in row["first_end"]]


def test_trajectories_are_dropped_once_their_rows_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    recorded = worker.PathRecorder.record

    def watched(self: Any, step: Step) -> list[int]:
        sizes.append(len(self._trajectories))
        return recorded(self, step)

    monkeypatch.setattr(worker.PathRecorder, "record", watched)
    rows_of(spec(samples=40, search=DIVERGENT), 4, models())
    assert max(sizes) <= 4 + 4 + 16  # those searching, and those that have left since the last results


class Narrow(nn.Module):
    """Has memory for three pictures."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.net, self.most, self.error = small_classifier(1).module, 0, error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 3:
            raise self.error
        self.most = max(self.most, len(x))
        return self.net(x)


@pytest.mark.parametrize(
    ("error", "goal"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "both"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "most divergent",
        ),
        (RuntimeError("MPS backend out of memory"), "most divergent"),
        (MemoryError(), "most divergent"),
    ],
)
def test_a_batch_that_memory_does_not_suffice_for_is_halved_and_loses_nobody(error: Exception, goal: str) -> None:
    narrow, asked = Narrow(error), spec(search=DIVERGENT | {"goal": goal})
    second = gevaldi.classifier(narrow, labels=3).eval()
    rows = rows_of(asked, 12, models(second=second, plan=ExecutionPlan()))
    assert narrow.most == 3
    whole = rows_of(asked, 12, models(plan=ExecutionPlan()))
    assert {index: row["steps"] for index, row in rows.items()} == {index: row["steps"] for index, row in whole.items()}
    with pytest.raises(DeviceError, match=r"too little memory for one sample.*gevaldi resume"):
        list(worker.search_all(starts(asked, [0]), models(second=second, plan=ExecutionPlan(small=True, block=8)), asked, 1))


class Dying(nn.Module):
    """Answers so many times, and then never again."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.net, self.times = small_classifier(1).module, times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.times -= 1
        if self.times < 0:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return self.net(x)


def test_a_device_that_dies_ends_the_run_and_its_samples_do_not_count_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    second = gevaldi.classifier(Dying(160), labels=3).eval()
    found: list[Any] = []
    monkeypatch.setattr(worker, "works", lambda device: False)
    searching = worker.search_all(starts(spec(samples=60), [0]), models(second=second), spec(samples=60), 8)
    with pytest.raises(DeviceError, match=r"has stopped working: CUDA error.*gevaldi resume"):
        found.extend(row["status"] for harvest in searching for row in harvest.rows())
    assert found
    assert "failed" not in found


def test_networks_that_cannot_be_copied_are_computed_by_one_thread() -> None:
    class Locked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.lock = small_classifier(1).module, threading.Lock()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with self.lock:
                return self.net(x)

    second, plan = gevaldi.classifier(Locked(), labels=3).eval(), ExecutionPlan(small=True, block=8, threads=2)
    rows, expected = (rows_of(spec(search=DIVERGENT), 24, models(second=each, plan=plan)) for each in (second, small_classifier(1)))
    assert [row["divergence_end"] for row in rows.values()] == [expected[index]["divergence_end"] for index in rows]


def test_a_device_that_computes_works() -> None:
    assert worker.works(torch.device("cpu"))
    assert not worker.works(torch.device("meta"))


class Counted(Algorithm):
    """Counts the steps of the batch, and not those of a sample."""

    def start(self, z: torch.Tensor) -> Count:
        return Count(0)

    def step(self, now: Evaluation, memory: Count, noise: Noise) -> tuple[torch.Tensor, Count]:
        return now.z + now.gradient, Count(memory.steps + 1)


def test_an_algorithm_that_remembers_what_belongs_to_no_sample_is_refused() -> None:
    supply = one_after_the_other(torch.randn(5, 3, dtype=torch.float64), 2)
    with pytest.raises(SpecError, match=r"holds a int.*noise\.steps"):
        list(search(linear_world(SLOPE, 0.5), supply, Counted(), Stopping(steps=9, window=2)))


def test_the_candidates_of_a_row_are_different_draws_of_which_the_first_is_the_start_itself() -> None:
    (start, *_) = starts(spec(), [0, 1, 2])
    found = candidates(start, 5)
    assert found[0] == start
    assert len({one.seed for one in found}) == 5
    assert {(one.index, one.condition, one.order) for one in found} == {(start.index, start.condition, start.order)}


@pytest.mark.parametrize(
    ("several", "first_rung", "batch_size"),
    [(2, 5, 7), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((4, 3, 3), (5, 4, 64), (8, 50, 16)))],
)
def test_the_candidate_that_is_searched_to_its_end_has_the_largest_objective_after_the_short_search(
    several: int, first_rung: int, batch_size: int
) -> None:
    plain = {"steps": 40, "window": 5, "goal": "most divergent"}
    asked = spec(samples=5, search={**plain, "candidates": several, "first_rung": first_rung})
    rows = rows_of(asked, batch_size, models())
    for start in starts(asked, [0, 1, 2]):
        draws = [replace(draw, index=i) for i, draw in enumerate(candidates(start, several))]
        alone = [row for results in worker.search_all(draws, models(), spec(search=plain), 64) for row in results.rows()]
        paths = {row["index"]: list(row["path_divergence"]) for row in alone}
        best = max(paths, key=lambda i: (paths[i][min(first_rung, len(paths[i]) - 1)], -i))
        row = rows[start.index]
        assert row["candidate"] == best
        assert row["seed"] == draws[best].seed
        assert list(row["path_divergence"]) == pytest.approx(paths[best], rel=1e-5)


def test_the_short_searches_of_candidates_show_their_progress() -> None:
    counts: list[int] = []
    asked = spec(samples=5, search={"steps": 3, "window": 5, "candidates": 4, "first_rung": 2})
    for _ in worker.search_all(starts(asked, [0]), models(), asked, 20, lambda searching, step: counts.append(searching)):
        pass
    assert counts[:3] == [20, 20, 20]  # of 40 draws
    assert sum(counts) == 10 * 4 * 3 + 10 * 4


def test_candidates_of_searches_that_all_start_at_the_same_latent_are_refused(tmp_path: Path) -> None:
    generator = small_generator()
    generator.starts_at_zero = True
    with pytest.raises(SpecError, match="candidates=4"):
        gevaldi.compare(small_classifier(0), small_classifier(1), generator, out=tmp_path, samples=3, search={"candidates": 4})
    assert not list(tmp_path.iterdir())


class Finished:
    """Something that has finished, as the writer takes it."""

    def __init__(self, indices: Sequence[int]) -> None:
        self.indices = indices

    def rows(self) -> list[dict[str, Any]]:
        return [{"index": i, "status": "failed", "error": "made up"} for i in self.indices]


@settings(deadline=None)
@given(harvests=st.lists(st.integers(1, 9), max_size=12), part=st.integers(1, 20))
def test_what_is_put_into_the_writer_is_on_disk_when_its_context_ends(
    tmp_path_factory: pytest.TempPathFactory, harvests: list[int], part: int
) -> None:
    run = Run.create(tmp_path_factory.mktemp("run"), spec(samples=60), record())
    bounds = np.cumsum([0, *harvests])
    with pytest.MonkeyPatch.context() as patch, Writer(run) as writing:
        patch.setattr(writer, "PART", part)
        for begin, end in pairwise(bounds):
            writing.put(Finished(range(begin, end)))
    assert run.done() == set(range(bounds[-1]))
    assert writing.written == bounds[-1]


def interrupted(_: None) -> None:
    raise KeyboardInterrupt


def test_what_was_put_in_before_ctrl_c_is_written(tmp_path: Path) -> None:
    run = Run.create(tmp_path, spec(), record())
    with pytest.raises(KeyboardInterrupt), Writer(run) as writing:
        interrupted(writing.put(Finished([0, 1])))
    assert run.done() == {0, 1}


def test_a_disk_that_fails_is_told_by_the_next_that_is_put_in_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PART", 1)
    run = Run.create(tmp_path, spec(), record())
    failed = threading.Event()

    def full(self: Run, rows: Any) -> None:
        failed.set()
        raise RunFolderError("the disk is full")

    monkeypatch.setattr(Run, "append", full)

    def fill() -> None:
        with Writer(run) as writing:
            for _ in range(writer.WAITING * 3):
                writing.put(Finished([0]))
                failed.wait(10)

    with pytest.raises(RunFolderError, match="full"):
        fill()


class Bad:
    """Finished samples of which no rows can be made."""

    def rows(self) -> list[dict[str, Any]]:
        raise ValueError("no rows")


def test_rows_that_cannot_be_made_do_not_take_others_with_them(tmp_path: Path) -> None:
    run = Run.create(tmp_path, spec(), record())
    with pytest.raises(ValueError, match="no rows"), Writer(run) as writing:
        [writing.put(finished) for finished in (Finished([0, 1]), Bad())]
    assert run.done() == {0, 1}


def test_slow_rows_do_not_wait_for_others_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "LONGEST_WAIT", (0.01, 0.01))
    run = Run.create(tmp_path, spec(), record())
    written = threading.Event()
    appended = Run.append
    monkeypatch.setattr(Run, "append", lambda self, rows: (appended(self, rows), written.set())[0])
    with Writer(run) as writing:
        writing.put(Finished([3]))
        assert written.wait(30)
        assert Run.open(tmp_path).done() == {3}


def test_equal_specs_give_equal_rows_with_candidates_after_an_interruption_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PART", 1)
    asked: dict[str, Any] = {
        "samples": 8,
        "steps": 10,
        "batch_size": 5,
        "audited": 20,
        "device": "cpu",
        "search": {"candidates": 3, "goal": "most divergent"},
    }
    networks = small_classifier(0), small_classifier(1), small_generator()
    whole = gevaldi.compare(*networks, out=tmp_path / "whole", **asked).rows()

    whole_search = worker.search_all

    def cut(*args: Any) -> Any:
        yield next(iter(whole_search(*args)))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gevaldi.runs.worker.search.search_all", cut)
        with pytest.raises(KeyboardInterrupt):
            gevaldi.compare(*networks, out=tmp_path / "cut", **asked)
    assert 0 < len(Run.open(tmp_path / "cut").done()) < 16
    again = gevaldi.compare(*networks, out=tmp_path / "cut", **asked).rows()
    numbers = ["index", "seed", "candidate", "steps", "divergence_end"]
    pd.testing.assert_frame_equal(again[numbers], whole[numbers])
