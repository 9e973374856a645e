"""Networks are computed in the fastest way that is safe, and what rows say was computed in single precision."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gevaldi
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.errors import SpecError
from gevaldi.objective import Evaluation, Objective
from gevaldi.runs import speed
from gevaldi.runs.probes import Chosen, Probe
from gevaldi.runs.rounding import LANES, Rounding
from gevaldi.runs.spec import Spec, overridden, spec_from
from gevaldi.runs.speed import chosen_speed
from gevaldi.runs.worker import halving

CPU = torch.device("cpu")


def classifier(seed: int) -> gevaldi.Classifier:
    torch.manual_seed(seed)
    ends = (nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 5))
    module = nn.Sequential(nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), *ends).eval()
    with torch.no_grad():
        ends[-1].weight.mul_(30)  # type: ignore[union-attr, operator]
    return gevaldi.classifier(module, 5)


def generator() -> gevaldi.Generator:
    torch.manual_seed(7)
    parts = (nn.Upsample(scale_factor=2), nn.Conv2d(8, 3, 3, padding=1), nn.Sigmoid())
    begin = (nn.Linear(6, 8 * 64), nn.Unflatten(1, (8, 8, 8)), nn.Conv2d(8, 8, 3, padding=1), nn.Tanh())
    return gevaldi.generator(nn.Sequential(*begin, *parts).eval(), latent=6)


def objective() -> Objective:
    return Objective(classifier(0), classifier(1), generator(), divergence("kl"), 0.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> gevaldi.Comparison:
    folder = tmp_path_factory.mktemp("mixed")
    settings = {"samples": 6, "steps": 25, "audited": 4, "precision": "bfloat16", "typical_mass": None}
    return gevaldi.compare(classifier(0), classifier(1), generator(), out=folder, **settings)


def test_a_run_in_bfloat16_says_of_its_ends_what_single_precision_says_of_them(run: gevaldi.Comparison) -> None:
    assert run.run.record["execution"]["precision"] == "bfloat16"
    for row in run.rows().to_dict("records"):
        pair = (classifier(0), classifier(1)) if row["order"] == "forward" else (classifier(1), classifier(0))
        for moment in ("start", "end"):
            z = torch.tensor(np.array(row[f"z_{moment}"]))[None]
            pictures = generator()(z, torch.zeros(1, dtype=torch.long))
            expected = divergence("kl")(*(side(pictures) for side in pair)).item()
            assert row[f"divergence_{moment}"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert row["divergence_end"] >= row["divergence_start"]
        path = row["path_divergence"]
        assert path[0] == pytest.approx(row["divergence_start"], rel=1e-6)
        assert path[row["step_end"]] == pytest.approx(row["divergence_end"], rel=1e-6)


def test_the_way_of_a_run_in_bfloat16_was_really_computed_in_it(run: gevaldi.Comparison) -> None:
    """A path in single precision has the same values as evaluations at its latents; here those between the ends are rounded."""
    exact = gevaldi.compare(classifier(0), classifier(1), generator(), samples=6, steps=25, audited=4, precision="float32")
    paths = [np.concatenate(list(found.rows()["path_divergence"])) for found in (run, exact)]
    assert len(paths[0]) != len(paths[1]) or not np.allclose(paths[0], paths[1], rtol=1e-5)
    assert run.rows()["divergence_end"].mean() == pytest.approx(exact.rows()["divergence_end"].mean(), rel=0.1)


def test_a_run_in_bfloat16_goes_on_in_it(run: gevaldi.Comparison) -> None:
    execution = run.run.record["execution"]
    again = Rounding.recorded(execution, CPU)
    assert again.mixed == torch.bfloat16
    assert again.dtype == torch.float32
    assert {**execution, **again.record()} == execution


def test_predictions_in_bfloat16_are_those_in_single_precision_to_its_eight_bits() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(8)), torch.zeros(8, dtype=torch.long)
    exact, mixed = one(z, condition), replace(one, mixed=torch.bfloat16)(z, condition)
    assert mixed.log_p.dtype == mixed.pictures.dtype == mixed.gradient.dtype == torch.float32
    assert not torch.equal(exact.log_p, mixed.log_p)
    assert (exact.log_p - mixed.log_p).abs().max() < 16 * 2**-8 * exact.log_p.abs().max()
    assert torch.nn.functional.cosine_similarity(exact.gradient, mixed.gradient).min() > 0.9


def test_networks_in_channels_last_order_give_the_same_and_are_given_back_as_they_were() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(4)), torch.zeros(4, dtype=torch.long)
    weight = one.first.module[0].weight  # type: ignore[union-attr, index]
    before = one(z, condition)
    with settled(one.first, one.second, one.generator, device=CPU, channels_last=True):
        assert weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[operator, union-attr]
        during = one(z, condition)
    assert weight.is_contiguous()  # type: ignore[operator, union-attr]
    assert torch.allclose(during.log_p, before.log_p, atol=1e-5)
    assert torch.allclose(one(z, condition).log_p, before.log_p, atol=0)


def spec(**settings: Any) -> Spec:
    return spec_from({"first": "a", "second": "b", "generator": "g", "samples": 4, **settings})


def chosen(one: Objective, **settings: Any) -> Chosen:
    return chosen_speed(spec(**settings), one, CPU).chosen


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("speed", "rounding"):
        monkeypatch.setattr(f"gevaldi.runs.{module}.are_small", lambda *networks: False)


Costs = dict[str, float | None]


def costing(monkeypatch: pytest.MonkeyPatch, costs: Costs, mixed: Evaluation | None = None) -> None:
    """Seconds of a sample; none for what fails. In bfloat16 something else may come out."""
    one = objective()
    found = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))

    def timed(_: Objective, way: Rounding, __: torch.device, size: int) -> tuple[float, Evaluation]:
        made = {"compiled": way.compiled, "mixed": way.mixed, "ordered": way.channels_last}
        names = [*(name for name, is_so in made.items() if is_so), f"threads {torch.get_num_threads()}"]
        seconds = next((costs[name] for name in names if name in costs), 1.0)
        if seconds is None:
            raise torch.OutOfMemoryError
        return seconds * size, mixed if way.mixed and mixed else found

    monkeypatch.setattr(speed, "_timed", timed)


def flipped() -> Evaluation:
    one = objective()
    found = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))
    return replace(found, log_p=found.log_p.flip(-1))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("costs", "agrees", "expected"),
    [
        ({"mixed": 0.3, "ordered": 0.6}, True, ("bfloat16", True)),
        ({"mixed": 0.3, "ordered": 0.6}, False, ("float32", True)),
        ({"mixed": 0.92, "ordered": 0.95}, True, ("float32", False)),
        ({"mixed": 3.0, "ordered": 2.0}, True, ("float32", False)),
    ],
)
def test_what_is_faster_and_agrees_is_chosen_and_what_does_not_agree_is_not(
    monkeypatch: pytest.MonkeyPatch, costs: Costs, agrees: bool, expected: tuple[str, bool]
) -> None:
    costing(monkeypatch, costs, None if agrees else flipped())
    found = chosen(objective())
    assert (found.precision, found.channels_last) == expected


@pytest.mark.usefixtures("large")
def test_what_does_not_run_in_one_way_is_computed_in_another() -> None:
    class Single(nn.Module):
        """As a network with a kernel of its own that knows nothing but single precision."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise TypeError("float32 and nothing else")
            return x.flatten(1)[:, :5]

    probe = chosen_speed(spec(), replace(objective(), first=gevaldi.classifier(Single().eval(), 5)), CPU)
    assert probe.chosen.precision == "float32"
    assert [tried.note for tried in probe.tried if "bfloat16" in tried.way] == ["fails: TypeError"]


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
def test_what_was_asked_for_is_kept(precision: str, order: str) -> None:
    found = chosen(objective(), precision=precision, speed={"memory_format": order, "batch_size": 3})
    assert (found.precision, found.channels_last, found.batch_size) == (precision, order == "channels_last", 3)


def test_small_networks_are_not_tried_in_anything_that_rounds_more() -> None:
    probe = chosen_speed(spec(), objective(), CPU)
    assert probe.chosen.lanes == LANES
    assert {tried.way.partition(",")[0] for tried in probe.tried} <= {"float32", "float64"}
    assert not any("channels last" in tried.way for tried in probe.tried)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({"threads 4": 0.1, "threads 2": 2.0, "threads 1": 1.0}, 1),  # 4 are not tried any more
        ({"threads 4": 0.2, "threads 2": 0.4, "threads 1": 1.0}, 4),
        ({"threads 4": 0.93, "threads 2": 0.95, "threads 1": 1.0}, 1),
        ({"threads 4": 3.0, "threads 2": 1.0, "threads 1": 1.2}, 2),
    ],
)
def test_as_many_threads_are_used_as_is_fastest(monkeypatch: pytest.MonkeyPatch, costs: Costs, expected: int) -> None:
    free_to_choose(monkeypatch, 4)
    costing(monkeypatch, costs)
    assert chosen(objective()).threads == expected
    assert torch.get_num_threads() == 1


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({"threads 4": 1.0, "threads 2": 2.0, "threads 1": 0.1}, 4),  # 1 is not tried any more
        ({"threads 4": 1.0, "threads 2": 0.8, "threads 1": 0.5}, 1),
        ({"threads 4": 1.0, "threads 2": 0.95, "threads 1": 0.93}, 4),
    ],
)
def test_large_networks_are_tried_with_all_cores_first(monkeypatch: pytest.MonkeyPatch, costs: Costs, expected: int) -> None:
    free_to_choose(monkeypatch, 4)
    costing(monkeypatch, {**costs, "mixed": None, "ordered": None})
    assert chosen(objective(), samples=1).threads == expected


def free_to_choose(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    for module in ("threads", "speed"):
        monkeypatch.setattr(f"gevaldi.runs.{module}.fixed", lambda: False)
        monkeypatch.setattr(f"gevaldi.runs.{module}.usable_cores", lambda: cores)


def test_threads_that_the_environment_fixes_are_neither_tried_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    probe = chosen_speed(spec(speed={"threads": 2}), objective(), CPU)
    assert probe.chosen.threads == 1
    assert "The environment or the program says how many threads: 1, not 2." in probe.why


def test_threads_that_are_asked_for_are_at_most_the_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    free_to_choose(monkeypatch, 2)
    assert chosen(objective(), speed={"threads": 2}).threads == 2
    probe = chosen_speed(spec(speed={"threads": 16, "graphs": True}), objective(), CPU)
    assert probe.chosen.threads == 2
    assert "16 threads were asked for; this process has 2 cores, and uses as many." in probe.why
    assert "CUDA graphs were asked for, and cpu has none." in probe.why


@pytest.mark.parametrize(
    ("settings", "expected"), [({"samples": 2, "orders": "forward"}, 2), ({"samples": 60}, 16), ({"speed": {"batch_size": 7}}, 7)]
)
def test_no_batch_is_larger_than_the_run_or_takes_longer_than_a_second(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], expected: int
) -> None:
    monkeypatch.setattr(speed, "_timed", lambda *call: (0.1 * call[3] ** 0.9, None))
    assert chosen(objective(), **settings).batch_size == expected


def test_larger_batches_that_gain_nothing_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_timed", lambda *call: (0.001 * max(call[3], 16), None))
    assert chosen(objective(), samples=1000).batch_size == 16


def test_a_batch_size_asked_for_beside_the_spec_wins() -> None:
    assert chosen_speed(spec(speed={"batch_size": 7}), objective(), CPU, 5).chosen.batch_size == 5


def test_compiling_is_tried_only_where_a_run_is_long_enough_or_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, {"compiled": 0.5})
    assert not chosen(objective(), samples=10_000, orders="forward").compiled  # on the processor it has to be asked for
    monkeypatch.setattr(speed, "COMPILED_ON", ("cpu",))
    settings = {"samples": 8, "orders": "forward"}
    assert not chosen(objective(), **settings).compiled
    assert chosen(objective(), **settings, speed={"compiled": True}).compiled
    assert chosen(objective(), samples=10_000, orders="forward").compiled  # 10,000 x 75 seconds
    assert not chosen(objective(), samples=10_000, orders="forward", speed={"compiled": False}).compiled


def test_compiled_networks_that_fail_are_not_chosen_even_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, {"compiled": None})
    probe = chosen_speed(spec(speed={"compiled": True}), objective(), CPU)
    assert not probe.chosen.compiled
    assert probe.tried[-1].note == "fails: OutOfMemoryError"


def test_what_is_measured_once_is_not_measured_again_but_for_what_a_longer_run_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "COMPILED_ON", ("cpu",))
    costing(monkeypatch, {"compiled": 0.05, "threads 1": 0.1})
    probes: list[Probe] = [chosen_speed(spec(samples=n, orders="forward"), objective(), CPU) for n in (200, 300, 10_000, 300)]
    assert [probe.cached for probe in probes] == [False, True, False, True]
    assert [probe.chosen.compiled for probe in probes] == [False, False, True, True]


def test_settings_of_speed_are_no_part_of_what_tells_runs_apart_and_all_others_are() -> None:
    assert spec(speed={"threads": 3}).fingerprint == spec().fingerprint
    assert spec(precision="float64").fingerprint != spec().fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": {"threds": 1}}, "Did you mean 'threads'?"),
        ({"threads": 1}, "'threads' is a setting of the speed: speed.threads."),
        ({"speed": {"threads": 0}}, "a whole number from 1 to 1,024, or auto, was expected (came: 0)"),
        ({"speed": {"batch_size": True}}, "a whole number from 1 to 1,000,000, or auto, was expected (came: True)"),
        ({"speed": {"compiled": "yes please"}}, "true, false or auto was expected"),
    ],
)
def test_impossible_settings_of_speed_are_answered(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        spec(**settings)


@pytest.mark.parametrize(("text", "expected"), [("threads=1", 1), ("compiled=true", True), ("graphs=false", False)])
def test_settings_of_speed_are_given_by_their_dotted_names(text: str, expected: object) -> None:
    given: dict[str, Any] = {"first": "a", "second": "b", "generator": "g"}
    overridden(given, f"speed.{text}")
    assert getattr(spec_from(given).speed, text.partition("=")[0]) is expected


def test_other_networks_settings_and_devices_are_measured_for_themselves() -> None:
    one = objective()
    keys = [
        speed._key(spec(), one, CPU, [1, 4]),
        speed._key(spec(), replace(one, first=classifier(2)), CPU, [1, 4]),
        speed._key(spec(), replace(one, first=one.second, second=one.first), CPU, [1, 4]),
        speed._key(spec(precision="float64"), one, CPU, [1, 4]),
        speed._key(spec(speed={"compiled": True}), one, CPU, [1, 4]),
        speed._key(spec(), one, CPU, [1]),
        speed._key(spec(), one, torch.device("mps"), [1, 4]),
    ]
    assert len({str(key) for key in keys}) == len(keys)
    assert speed._key(spec(samples=9, seed=3), one, CPU, [1, 4]) == keys[0]


@pytest.mark.parametrize("output", ["log-probabilities", "probabilities"])
def test_classifiers_that_do_not_end_in_logits_are_searched_in_bfloat16_too(output: str, tmp_path: Path) -> None:
    ends = {"log-probabilities": nn.LogSoftmax(-1), "probabilities": nn.Softmax(-1)}
    pair = [gevaldi.classifier(nn.Sequential(classifier(i).module, ends[output]).eval(), 5, output=output) for i in range(2)]  # type: ignore[list-item, arg-type]
    done = gevaldi.compare(*pair, generator(), out=tmp_path / "run", samples=2, steps=3, audited=2, precision="bfloat16")
    assert not done.rows()["error"].notna().any()
    one = Objective(*pair, generator(), divergence("kl"), 0.0, torch.bfloat16)
    found = one(one.generator.prior.sample(range(3)), torch.zeros(3, dtype=torch.long))
    assert found.log_p.dtype == found.log_q.dtype == torch.float32


@pytest.mark.usefixtures("large")
def test_bfloat16_is_not_taken_for_safe_where_there_is_nothing_to_compare_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, {"threads 1": None, "ordered": None, "mixed": 1.0})
    assert chosen(objective()).precision == "float32"


def test_ends_are_evaluated_in_halves_where_memory_does_not_suffice() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(5)), torch.zeros(5, dtype=torch.long)
    asked: list[int] = []

    def narrow(places: list[int], latents: torch.Tensor) -> Evaluation:
        asked.append(len(latents))
        if len(latents) > 2:
            raise torch.OutOfMemoryError
        return one.given(condition[places])(latents)

    found, whole = halving(narrow)(list(range(5)), z), one(z, condition)
    assert asked == [5, 2, 3, 1, 2]
    assert torch.equal(found.z, whole.z)
    assert torch.allclose(found.gradient, whole.gradient, atol=1e-5)
    with pytest.raises(torch.OutOfMemoryError):
        halving(lambda places, latents: narrow(places, latents.expand(9, -1)))([0], z[:1])
