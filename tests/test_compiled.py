"""Networks that are made ready for one batch size find what they found before, at any size."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.contract import settled
from gevaldi.divergences import divergence
from gevaldi.objective import Evaluation, Objective
from gevaldi.runs import compiled
from gevaldi.runs.compiled import Ready, is_ready, made_ready
from gevaldi.runs.rounding import Rounding

CPU, SIZE = torch.device("cpu"), 6
COMPILED = Rounding(compiled=True)


def objective() -> Objective:
    return Objective(small_classifier(0), small_classifier(1), small_generator(), divergence("kl"), 0.1)


def evaluated(one: Objective, size: int, padded: int = 1) -> Evaluation:
    condition = torch.arange(size) % 3
    return one.given(condition, padded, torch.arange(size) % 2 == 0)(one.generator.prior.sample(range(size)))


def same(one: Evaluation, other: Evaluation) -> bool:
    return all(torch.allclose(getattr(one, name), getattr(other, name), atol=1e-5) for name in Evaluation.__dataclass_fields__)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend that traces and joins forward and backward as the usual one does, but needs no compiler of C++."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")
    torch.compiler.reset()


@pytest.mark.usefixtures("quickly")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("size", "padded"), [(SIZE, 1), (4, SIZE), (4, 1), (9, 1)])
def test_compiled_networks_find_what_they_find_uncompiled_at_the_size_they_are_for_and_at_others(size: int, padded: int) -> None:
    plain = objective()
    with settled(plain.first, plain.second, plain.generator, device=CPU):
        ready = made_ready(plain, COMPILED, SIZE, CPU)
        assert same(evaluated(plain, size), evaluated(ready, size, padded))
        assert is_ready(ready)


@pytest.mark.usefixtures("quickly")
@pytest.mark.filterwarnings("ignore")
def test_compiled_networks_are_compiled_once_whatever_the_batches() -> None:
    plain = objective()
    ready = made_ready(plain, COMPILED, SIZE, CPU)
    evaluated(ready, SIZE)
    before = sum(torch._dynamo.utils.counters["stats"].values())
    for size in (SIZE, 2, 5, SIZE):
        evaluated(ready, size, SIZE)
        evaluated(ready, size)
    assert sum(torch._dynamo.utils.counters["stats"].values()) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_networks_compiled_to_code_of_the_processor_agree_where_there_is_a_compiler() -> None:
    plain = objective()
    torch.compiler.reset()
    with settled(plain.first, plain.second, plain.generator, device=CPU):
        ready = made_ready(plain, COMPILED, SIZE, CPU)
        found = evaluated(ready, SIZE)
        if not is_ready(ready):
            pytest.skip("no compiler of C++ is at hand")
        assert same(evaluated(plain, SIZE), found)


def test_where_nothing_is_to_be_made_ready_the_objective_is_itself() -> None:
    plain = objective()
    assert made_ready(plain, Rounding(), SIZE, CPU) is plain


def test_a_network_takes_over_for_good_from_what_fails_in_its_place() -> None:
    calls: list[str] = []

    class Doubling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            calls.append("network")
            return 2 * x

    def failing(x: Tensor) -> Tensor:
        calls.append("run")
        raise RuntimeError("no compiler")

    ready = Ready(Doubling(), failing, 2)
    with torch.enable_grad():
        for _ in range(2):
            assert torch.equal(ready(torch.ones(2)), torch.full((2,), 2.0))
    assert calls == ["run", "network", "network"]


def test_memory_that_does_not_suffice_is_no_reason_for_another_way() -> None:
    def full(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    ready = Ready(nn.Identity(), full, 2)
    with torch.enable_grad(), pytest.raises(torch.OutOfMemoryError):
        ready(torch.ones(2))
    assert ready.run is full


def recording(functions: tuple, samples: tuple) -> tuple:
    """As `torch.cuda.make_graphed_callables` does it: results and gradients in memory that the next call writes over."""

    def graphed(function: object, sample: tuple[Tensor, ...]) -> object:
        class Played(torch.autograd.Function):
            result = torch.empty(0)
            gradient = torch.empty_like(sample[0])

            @staticmethod
            def forward(ctx: object, values: Tensor, *other: Tensor) -> Tensor:
                with torch.enable_grad():
                    ctx.values = values.detach().requires_grad_()  # type: ignore[attr-defined]
                    ctx.made = function(ctx.values, *other)  # type: ignore[attr-defined,operator]
                if Played.result.shape != ctx.made.shape:  # type: ignore[attr-defined]
                    Played.result = torch.empty_like(ctx.made)  # type: ignore[attr-defined]
                return Played.result.copy_(ctx.made.detach()).detach()  # type: ignore[attr-defined]

            @staticmethod
            def backward(ctx: object, gradient: Tensor) -> tuple[Tensor | None, ...]:
                (found,) = torch.autograd.grad(ctx.made, ctx.values, gradient)  # type: ignore[attr-defined]
                return (Played.gradient.copy_(found).detach(), *[None] * (len(sample) - 1))

        return lambda *values: Played.apply(*values)

    return tuple(graphed(function, sample) for function, sample in zip(functions, samples, strict=True))


def test_evaluations_of_recorded_networks_are_not_written_over_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", recording)
    plain = objective()
    with settled(plain.first, plain.second, plain.generator, device=CPU):
        ready = made_ready(plain, Rounding(graphs=True), SIZE, CPU)
        condition, z = torch.arange(SIZE) % 3, [plain.generator.prior.sample(range(i, i + SIZE)) for i in (0, 50)]
        first, second = (ready(latents, condition) for latents in z)
        assert is_ready(ready)
        assert same(first, plain(z[0], condition))
        assert same(second, plain(z[1], condition))


def test_networks_that_cannot_be_recorded_are_computed_as_they_are() -> None:
    """Where there is no CUDA, nothing can."""
    if torch.cuda.is_available():
        pytest.skip("there is CUDA")
    plain = objective()
    ready = made_ready(plain, Rounding(graphs=True), SIZE, CPU)
    assert not is_ready(ready)
    assert same(evaluated(ready, SIZE), evaluated(plain, SIZE))


@pytest.mark.parametrize(("rounding", "expected"), [(Rounding(lanes=8), 8), (COMPILED, 20), (Rounding(lanes=8, graphs=True), 24)])
def test_batches_are_padded_to_what_networks_are_ready_for(rounding: Rounding, expected: int) -> None:
    assert rounding.padded_to(20) == expected


def test_what_runs_in_a_networks_place_says_the_same_of_itself() -> None:
    ready = made_ready(objective(), replace(COMPILED), SIZE, CPU)
    assert ready.first.labels == small_classifier().labels
    assert ready.generator.conditions == small_generator().conditions
    assert isinstance(ready.first, gevaldi.Classifier)
    assert not ready.generator.training
