"""Large networks are computed in the fastest way that is safe, and what rows say was computed in single precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gevaldi
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.objective import Evaluation, Objective
from gevaldi.runs import speed
from gevaldi.runs.rounding import Rounding
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


def test_what_is_faster_and_agrees_is_chosen_and_what_does_not_agree_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    one, plain = objective(), Rounding()
    evaluation = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))
    other = replace(evaluation, log_p=evaluation.log_p.flip(-1))

    def costing(usual: float, ordered: float, mixed: float, found: object = evaluation) -> Rounding:
        def timed(_: Objective, way: Rounding, __: torch.device) -> tuple[float, object]:
            return (mixed, found) if way.mixed else (ordered if way.channels_last else usual, evaluation)

        monkeypatch.setattr(speed, "_timed", timed)
        return speed.fastest("auto", plain, one, CPU)

    assert costing(3.0, 2.0, 1.0) == replace(plain, channels_last=True, mixed=torch.bfloat16)
    assert costing(3.0, 2.0, 1.0, other) == replace(plain, channels_last=True)
    assert costing(3.0, 2.9, 2.8) == plain
    assert costing(1.0, 2.0, 3.0) == plain


def test_what_does_not_run_in_one_way_is_computed_in_another() -> None:
    class Single(nn.Module):
        """As a network with a kernel of its own that knows nothing but single precision."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise TypeError("float32 and nothing else")
            return x.flatten(1)[:, :5]

    one = replace(objective(), first=gevaldi.classifier(Single().eval(), 5))
    assert speed.fastest("auto", Rounding(), one, CPU).mixed is None


def test_numbers_that_were_asked_for_are_kept() -> None:
    one = objective()
    assert speed.fastest("float64", Rounding(torch.float64), one, CPU) == Rounding(torch.float64)
    assert speed.fastest("float32", Rounding(), one, CPU).mixed is None
    assert speed.fastest("bfloat16", Rounding(), one, CPU).mixed == torch.bfloat16
    padded = Rounding(lanes=8)
    assert speed.fastest("auto", padded, one, CPU) == padded


@pytest.mark.parametrize("output", ["log-probabilities", "probabilities"])
def test_classifiers_that_do_not_end_in_logits_are_searched_in_bfloat16_too(output: str, tmp_path: Path) -> None:
    ends = {"log-probabilities": nn.LogSoftmax(-1), "probabilities": nn.Softmax(-1)}
    pair = [gevaldi.classifier(nn.Sequential(classifier(i).module, ends[output]).eval(), 5, output=output) for i in range(2)]  # type: ignore[list-item, arg-type]
    done = gevaldi.compare(*pair, generator(), out=tmp_path, samples=2, steps=3, audited=2, precision="bfloat16")
    assert not done.rows()["error"].notna().any()
    one = Objective(*pair, generator(), divergence("kl"), 0.0, torch.bfloat16)
    found = one(one.generator.prior.sample(range(3)), torch.zeros(3, dtype=torch.long))
    assert found.log_p.dtype == found.log_q.dtype == torch.float32


def test_bfloat16_is_not_taken_for_safe_where_there_is_nothing_to_compare_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    one = objective()
    evaluation = one(one.generator.prior.sample([0]), torch.zeros(1, dtype=torch.long))

    def timed(_: Objective, way: Rounding, __: torch.device) -> tuple[float, object]:
        if way.mixed is None:
            raise torch.OutOfMemoryError
        return 1.0, evaluation

    monkeypatch.setattr(speed, "_timed", timed)
    assert speed.fastest("auto", Rounding(), one, CPU).mixed is None


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
