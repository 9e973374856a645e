"""Large networks are computed in the fastest way that is safe, and rows hold ends in single precision."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import gevaldi
from gevaldi.contract import on_device
from gevaldi.divergences import divergence
from gevaldi.errors import SpecError
from gevaldi.execution import autotune
from gevaldi.execution.autotune import plan_of
from gevaldi.execution.networks import apply_plan
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.execution.tuning import Tuning
from gevaldi.objective import Evaluation, Objective
from gevaldi.runs.worker.search import in_halves
from gevaldi.spec import Spec, overridden, spec_from

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
        for stage in ("start", "end"):
            z = torch.tensor(np.array(row[f"z_{stage}"]))[None]
            pictures = generator()(z, torch.zeros(1, dtype=torch.long))
            expected = divergence("kl")(*(side(pictures) for side in pair)).item()
            assert row[f"divergence_{stage}"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert row["divergence_end"] >= row["divergence_start"]
        path = row["path_divergence"]
        assert path[0] == pytest.approx(row["divergence_start"], rel=1e-6)
        assert path[row["step_end"]] == pytest.approx(row["divergence_end"], rel=1e-6)


@pytest.mark.slow
def test_the_way_of_a_run_in_bfloat16_was_really_computed_in_it(run: gevaldi.Comparison) -> None:
    """A path in single precision has the same values as evaluations at its latents; here those between the ends are rounded."""
    exact = gevaldi.compare(classifier(0), classifier(1), generator(), samples=6, steps=25, audited=4, precision="float32")
    paths = [np.concatenate(list(found.rows()["path_divergence"])) for found in (run, exact)]
    assert len(paths[0]) != len(paths[1]) or not np.allclose(paths[0], paths[1], rtol=1e-5)
    assert run.rows()["divergence_end"].mean() == pytest.approx(exact.rows()["divergence_end"].mean(), rel=0.1)


def test_a_run_in_bfloat16_goes_on_in_it(run: gevaldi.Comparison) -> None:
    execution = run.run.record["execution"]
    again = ExecutionPlan.recorded_plan(execution, CPU)
    assert again.mixed == torch.bfloat16
    assert again.dtype == torch.float32
    assert {**execution, **again.record()} == execution


def test_predictions_in_bfloat16_are_those_in_single_precision_to_its_eight_bits() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(8)), torch.zeros(8, dtype=torch.long)
    exact, mixed = one(z, condition), apply_plan(one, ExecutionPlan(mixed=torch.bfloat16), CPU)(z, condition)
    assert mixed.log_p.dtype == mixed.pictures.dtype == mixed.gradient.dtype == torch.float32
    assert not torch.equal(exact.log_p, mixed.log_p)
    assert (exact.log_p - mixed.log_p).abs().max() < 16 * 2**-8 * exact.log_p.abs().max()
    assert torch.nn.functional.cosine_similarity(exact.gradient, mixed.gradient).min() > 0.9


def test_networks_in_channels_last_order_give_the_same_and_are_given_back_as_they_were() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(4)), torch.zeros(4, dtype=torch.long)
    weight = one.first.module[0].weight  # type: ignore[union-attr, index]
    before = one(z, condition)
    with on_device(one.first, one.second, one.generator, device=CPU, channels_last=True):
        assert weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore[operator, union-attr]
        during = one(z, condition)
    assert weight.is_contiguous()  # type: ignore[operator, union-attr]
    assert torch.allclose(during.log_p, before.log_p, atol=1e-5)
    assert torch.allclose(one(z, condition).log_p, before.log_p, atol=0)


def spec(**settings: Any) -> Spec:
    return spec_from({"first": "a", "second": "b", "generator": "g", "samples": 4, **settings})


def chosen(one: Objective, **settings: Any) -> ExecutionPlan:
    return plan_of(spec(**settings), one, CPU)[0]


def tuned(one: Objective, **settings: Any) -> Tuning:
    tuning = plan_of(spec(**settings), one, CPU)[1]
    assert tuning
    return tuning


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "are_small", lambda *networks: False)


Costs = dict[str, float | None]


def costing(monkeypatch: pytest.MonkeyPatch, costs: Costs, mixed: Evaluation | None = None) -> None:
    """Seconds of a sample; none for what fails. In bfloat16 something else may come out."""
    one = objective()
    found = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))

    def timed(_: Objective, way: ExecutionPlan, __: torch.device, size: int) -> tuple[float, Evaluation]:
        made = {"mixed": way.mixed, "ordered": way.channels_last}
        names = [*(name for name, is_so in made.items() if is_so), "plain"]
        seconds = next((costs[name] for name in names if name in costs), 1.0)
        if seconds is None:
            raise torch.OutOfMemoryError
        return seconds * size, mixed if way.mixed and mixed else found

    monkeypatch.setattr(autotune, "time_evaluation", timed)


def flipped() -> Evaluation:
    one = objective()
    found = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))
    return replace(found, log_p=found.log_p.flip(-1))


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
    assert (found.record()["precision"], found.channels_last) == expected


def test_what_does_not_run_in_one_way_is_computed_in_another() -> None:
    class Single(nn.Module):
        """As a network with a kernel of its own that knows nothing but single precision."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise TypeError("float32 and nothing else")
            return x.flatten(1)[:, :5]

    tuning = tuned(replace(objective(), first=gevaldi.classifier(Single().eval(), 5)))
    assert tuning.choice.precision == "float32"
    assert [trial.note for trial in tuning.trials if "bfloat16" in trial.way] == ["fails: TypeError"]


@pytest.mark.parametrize("precision", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("order", ["contiguous", "channels_last"])
def test_what_was_asked_for_is_kept(precision: str, order: str) -> None:
    found = chosen(objective(), precision=precision, speed={"memory_format": order, "batch_size": 3})
    assert (found.record()["precision"], found.channels_last, found.batch_size) == (precision, order == "channels_last", 3)


@pytest.mark.parametrize(
    ("settings", "expected"), [({"samples": 2, "orders": "forward"}, 2), ({"samples": 60}, 16), ({"speed": {"batch_size": 7}}, 7)]
)
def test_no_batch_is_larger_than_the_run_or_takes_longer_than_a_second(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], expected: int
) -> None:
    monkeypatch.setattr(autotune, "fastest", lambda *bench: ExecutionPlan())
    monkeypatch.setattr(autotune, "time_evaluation", lambda *call: (0.1 * call[3] ** 0.85, None))
    assert chosen(objective(), **settings).batch_size == expected


def test_larger_batches_that_gain_nothing_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "fastest", lambda *bench: ExecutionPlan())
    monkeypatch.setattr(autotune, "time_evaluation", lambda *call: (0.001 * max(call[3], 16), None))
    assert chosen(objective(), samples=1000).batch_size == 16


def test_a_batch_size_asked_for_beside_the_spec_wins() -> None:
    assert plan_of(spec(speed={"batch_size": 7}), objective(), CPU, 5)[0].batch_size == 5


def test_networks_that_cannot_be_compiled_are_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(network: Any) -> Any:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr("gevaldi.execution.networks.compile_network", failing)
    with pytest.raises(SpecError, match=r"speed\.compiled=true.*no C\+\+ compiler.*Leave it out"):
        chosen(objective(), speed={"compiled": True, "batch_size": 2})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_networks_give_what_they_give_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_of = torch.compile
    monkeypatch.setattr(torch, "compile", lambda network, **options: compile_of(network, backend="aot_eager", dynamic=False))
    one = objective()
    z, condition = one.generator.prior.sample(range(3)), torch.zeros(3, dtype=torch.long)
    with on_device(one.first, one.second, one.generator, device=CPU):
        plan = chosen(one, speed={"compiled": True, "batch_size": 3})
        assert plan.compiled
        assert plan.block == 3
        plain, compiled = one(z, condition), apply_plan(one, plan, CPU)(z, condition)
    assert torch.allclose(plain.log_p, compiled.log_p, atol=1e-5)
    assert torch.allclose(plain.gradient, compiled.gradient, atol=1e-5)


def test_a_measurement_is_made_once_and_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, {"plain": 0.1})
    assert [tuned(objective(), samples=n, orders="forward").cached for n in (200, 300)] == [False, True]


def test_settings_of_speed_are_no_part_of_what_tells_runs_apart_and_all_others_are() -> None:
    assert spec(speed={"threads": 3}).fingerprint == spec().fingerprint
    assert spec(precision="float64").fingerprint != spec().fingerprint


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": {"threds": 1}}, "Did you mean 'threads'?"),
        ({"threads": 1}, "'threads' is a setting of the speed: speed.threads."),
        ({"speed": {"threads": 0}}, "a whole number from 1 to 1,024, or auto, was expected (got 0)"),
        ({"speed": {"batch_size": True}}, "a whole number from 1 to 1,000,000, or auto, was expected (got True)"),
        ({"speed": {"compiled": "yes please"}}, "true or false was expected"),
    ],
)
def test_impossible_settings_of_speed_are_answered(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        spec(**settings)


def test_specs_of_earlier_versions_are_read_where_they_left_the_choice_open() -> None:
    earlier = {"threads": "auto", "memory_format": "auto", "compiled": "auto", "graphs": "auto", "batch_size": "auto"}
    assert spec(speed=earlier) == spec()
    with pytest.raises(SpecError, match="graphs"):
        spec(speed={"graphs": True})


@pytest.mark.parametrize(("text", "expected"), [("threads=1", 1), ("compiled=true", True), ("threads=auto", "auto")])
def test_settings_of_speed_are_given_by_their_dotted_names(text: str, expected: object) -> None:
    given: dict[str, Any] = {"first": "a", "second": "b", "generator": "g"}
    overridden(given, f"speed.{text}")
    assert getattr(spec_from(given).speed, text.partition("=")[0]) == expected


def test_other_networks_settings_and_devices_are_measured_for_themselves() -> None:
    one = objective()
    keys = [
        autotune._key(spec(), one, CPU, [1, 4], 1),
        autotune._key(spec(), replace(one, first=classifier(2)), CPU, [1, 4], 1),
        autotune._key(spec(), replace(one, first=one.second, second=one.first), CPU, [1, 4], 1),
        autotune._key(spec(precision="float64"), one, CPU, [1, 4], 1),
        autotune._key(spec(speed={"memory_format": "contiguous"}), one, CPU, [1, 4], 1),
        autotune._key(spec(), one, CPU, [1], 1),
        autotune._key(spec(), one, torch.device("mps"), [1, 4], 1),
    ]
    assert len({str(key) for key in keys}) == len(keys)
    assert autotune._key(spec(samples=9, seed=3), one, CPU, [1, 4], 1) == keys[0]


@pytest.mark.parametrize("output", ["log-probabilities", "probabilities"])
def test_classifiers_that_do_not_end_in_logits_are_searched_in_bfloat16_too(output: str, tmp_path: Path) -> None:
    ends = {"log-probabilities": nn.LogSoftmax(-1), "probabilities": nn.Softmax(-1)}
    pair = [gevaldi.classifier(nn.Sequential(classifier(i).module, ends[output]).eval(), 5, output=output) for i in range(2)]  # type: ignore[list-item, arg-type]
    done = gevaldi.compare(*pair, generator(), out=tmp_path / "run", samples=2, steps=3, audited=2, precision="bfloat16")
    assert not done.rows()["error"].notna().any()
    one = Objective(*pair, generator(), divergence("kl"), 0.0)
    found = apply_plan(one, ExecutionPlan(mixed=torch.bfloat16), CPU)(
        one.generator.prior.sample(range(3)), torch.zeros(3, dtype=torch.long)
    )
    assert found.log_p.dtype == found.log_q.dtype == torch.float32


def test_bfloat16_is_not_taken_for_safe_where_there_is_nothing_to_compare_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, {"plain": None, "ordered": None, "mixed": 1.0})
    assert chosen(objective()).record()["precision"] == "float32"


def test_ends_are_evaluated_in_halves_where_memory_does_not_suffice() -> None:
    one = objective()
    z, condition = one.generator.prior.sample(range(5)), torch.zeros(5, dtype=torch.long)
    sizes: list[int] = []

    def narrow(*samples: torch.Tensor) -> Evaluation:
        sizes.append(len(samples[0]))
        if len(samples[0]) > 2:
            raise torch.OutOfMemoryError
        return one(*samples)

    samples = z, condition, torch.arange(5) % 2 == 0
    in_parts, whole = in_halves(narrow)(*samples), one(*samples)
    assert sizes == [5, 2, 3, 1, 2]
    assert torch.equal(in_parts.z, whole.z)
    assert torch.allclose(in_parts.gradient, whole.gradient, atol=1e-5)
    with pytest.raises(torch.OutOfMemoryError):
        in_halves(lambda *samples: narrow(z.repeat(2, 1), *samples[1:]))(*(part[:1] for part in samples))
