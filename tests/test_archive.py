"""The archive over pairs of classes: a world whose pairs are known, and the archive of a library."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

import gevaldi
from conftest import called
from gevaldi.archive.pairs import Pairs
from gevaldi.errors import ContractError, RunFolderError, SpecError
from gevaldi.priors.standard_normal import standard_normal
from gevaldi.search.map_elites import Answers, Archive, MapElites, add

CLASSES = 4


def of_angle(z: Float[Tensor, "batch size"], turn: float) -> Int[Tensor, " batch"]:
    """The quarter of the plane of the first two coordinates that a latent lies in, after a turn by so many quarters."""
    return ((torch.atan2(z[:, 1], z[:, 0]) / (torch.pi / 2) + turn) % CLASSES).long()


def quarters(number: int, z: Tensor, condition: Tensor) -> Answers:
    """A world in which eight pairs exist, and the divergence of each is largest at the edge of the square."""
    z = z.clamp(-3, 3)
    return Answers(z, of_angle(z, 0), of_angle(z, 0.5), z[:, :2].abs().amax(1))


def grown(queries: int, seed: int = 0, **settings: int) -> Archive:
    algorithm = MapElites(**settings)
    growing = algorithm.grow(quarters, standard_normal(3), [0], seed)
    *_, archive = islice(growing, queries // algorithm.population)
    return archive


def test_an_archive_finds_all_pairs_that_exist_each_at_its_largest_divergence() -> None:
    archive = grown(1600)
    assert set(archive) == {(k, (k + half) % CLASSES) for k in range(CLASSES) for half in (0, 1)}
    for pair, elite in archive.items():
        (again,) = zip(
            *(
                part.tolist()
                for part in (quarters(0, elite.z[None], torch.zeros(1)).__dict__[name] for name in ("first", "second"))
            ),
            strict=True,
        )
        assert again == pair
        assert elite.value > 2.8


def test_an_archive_is_a_function_of_its_seed() -> None:
    one, same, other = grown(320), grown(320), grown(320, seed=1)
    assert all(torch.equal(one[pair].z, same[pair].z) for pair in one)
    assert not all(torch.equal(one[pair].z, other[pair].z) for pair in one if pair in other)


def test_conditions_take_turns_in_draws_and_stay_with_their_elites() -> None:
    seen: list[Tensor] = []

    def query(number: int, z: Tensor, condition: Tensor) -> Answers:
        seen.append(condition)
        return Answers(z, condition, (condition + 1) % CLASSES, z[:, 0])  # the pair says the condition

    algorithm = MapElites(population=8, draws=8)
    for _, archive in zip(range(20), algorithm.grow(query, standard_normal(2), [0, 3], 0), strict=False):
        assert all(pair[0] == elite.condition for pair, elite in archive.items())
    assert seen[0].tolist() == [0, 3] * 4


def test_what_is_not_a_number_enters_no_archive() -> None:
    archive: Archive = {}
    add(
        archive,
        Answers(torch.zeros(2, 1), torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([torch.nan, 1.0])),
        torch.tensor([0, 0]),
    )
    assert set(archive) == {(1, 0)}


@pytest.mark.slow
def test_elites_are_those_of_the_archive_of_pyribs() -> None:
    archives = pytest.importorskip("ribs.archives")
    random = np.random.default_rng(0)
    theirs, ours = archives.CategoricalArchive(solution_dim=2, categories=[range(CLASSES)] * 2, seed=0), {}
    for _ in range(20):
        z, pairs, values = random.normal(size=(16, 2)), random.integers(CLASSES, size=(16, 2)), random.normal(size=16)
        theirs.add(z, values, pairs)
        first, second = torch.from_numpy(pairs).T
        add(ours, Answers(torch.from_numpy(z), first, second, torch.from_numpy(values)), torch.zeros(16, dtype=torch.long))
    data = theirs.data()
    expected = {tuple(map(int, pair)): z for pair, z in zip(data["measures"], data["solution"], strict=True)}
    assert {pair: tuple(elite.z.tolist()) for pair, elite in ours.items()} == {pair: tuple(z) for pair, z in expected.items()}


class Quarter(nn.Module):
    """Says in which quarter of the plane the first two pixels lie, measured from their middle; counts what it is asked."""

    asked = 0

    def __init__(self, turn: float, fails_at: int | None = None) -> None:
        super().__init__()
        self.turn, self.fails_at = turn, fails_at

    def forward(self, pictures: Tensor) -> Tensor:
        Quarter.asked += len(pictures)
        if self.fails_at is not None and Quarter.asked > self.fails_at:
            raise RuntimeError("the model is gone")
        plane = pictures.flatten(1)[:, :2] - 0.5
        angles = torch.pi / 2 * (torch.arange(CLASSES) + 0.5 - self.turn)
        return 20 * plane @ torch.stack([angles.cos(), angles.sin()]).to(plane)


class Pixels(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(z)[:, None, None, :].expand(-1, 1, 4, -1)


def compared(folder: Path, fails_at: int | None = None, batch_size: int = 4) -> gevaldi.Comparison:
    first = gevaldi.classifier(Quarter(0), labels=["a", "b", "c", "d"]).eval()
    second = gevaldi.classifier(Quarter(0.5, fails_at), labels=["a", "b", "c", "d"]).eval()
    generator = gevaldi.generator(Pixels(), latent=4).eval()
    settings = {"samples": 1, "steps": 2, "audited": 4, "goal": "most divergent", "progress": False}
    return gevaldi.compare(first, second, generator, out=folder, batch_size=batch_size, **settings)


def test_the_archive_of_a_comparison_has_the_pairs_that_exist_with_pictures_that_show_them(tmp_path: Path) -> None:
    done = compared(tmp_path / "run")
    found = done.archive(640, progress=False)
    assert {(row["first_class"], row["second_class"]) for row in found.rows} == {("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")}
    rows = found.frame()
    assert rows["divergence"].is_monotonic_decreasing
    assert (rows["typicality"] <= 0.999).all()
    assert found.queries == 640
    picture = torch.from_numpy(np.asarray(found.picture("a", "b"))[None, None] / 255)
    assert (Quarter(0)(picture).argmax(), Quarter(0.5)(picture).argmax()) == (0, 1)
    with pytest.raises(SpecError, match="no picture was found"):
        found.picture("a", "c")
    again = Pairs.of(done.run)
    assert again is not None
    assert again.frame().equals(found.frame())
    with pytest.raises(SpecError, match="0 queries"):
        done.archive(0)


def test_a_search_that_was_interrupted_or_is_made_longer_asks_nothing_twice_and_ends_alike(tmp_path: Path) -> None:
    whole = compared(tmp_path / "whole").archive(320, progress=False).frame()
    first = compared(tmp_path / "run", fails_at=10**6)
    assert Pairs.of(first.run) is None
    Quarter.asked = 10**6 - 2 * 170
    with pytest.raises(ContractError, match="the model is gone"):
        first.archive(320, progress=False)
    Quarter.asked = 0
    again = compared(tmp_path / "run", batch_size=64)
    checks = Quarter.asked
    assert again.archive(320, progress=False).frame().equals(whole)
    assert Quarter.asked - checks < 2 * 320  # of both, though contract and end ask too
    Quarter.asked = 0
    longer, at_once = again.archive(640, progress=False), compared(tmp_path / "whole").archive(640, progress=False)
    assert longer.frame().equals(at_once.frame())


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    done = compared(tmp_path / "run")
    done.archive(32, progress=False)
    (done.run.folder / "archive" / "pairs.parquet").write_bytes(b"garbage")
    with pytest.raises(RunFolderError, match="Delete it"):
        Pairs.of(done.run)


@pytest.mark.slow
def test_the_command_grows_the_archive_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "boxes.py").write_text(
        "import numpy as np, torch, gevaldi\n"
        "def answers(turn, x):\n"
        "    angle = np.pi / 2 * (np.arange(4) + 0.5 - turn)\n"
        "    p = np.exp(20 * (x.reshape(len(x), -1)[:, :2] - 0.5) @ np.stack([np.cos(angle), np.sin(angle)]))\n"
        "    return p / p.sum(1, keepdims=True)\n"
        "first, second = (lambda x: answers(0, x)), (lambda x: answers(0.5, x))\n"
        "class Pixels(torch.nn.Module):\n"
        "    def forward(self, z):\n"
        "        return torch.sigmoid(z)[:, None, None, :].expand(-1, 1, 4, -1)\n"
        "def make():\n"
        "    return gevaldi.generator(Pixels(), latent=4).eval()\n"
    )
    words = [
        "compare",
        "function:boxes.py:first,size=4",
        "function:boxes.py:second,size=4",
        "-g",
        "python:boxes.py:make",
        "-n",
        "1",
    ]
    done = called(tmp_path, *words, "--steps", "2", "--set", "audited=4", "--out", "run")
    assert done.returncode == 0, done.stderr
    done = called(tmp_path, "archive", "run", "--queries", "320")
    assert done.returncode == 0, done.stderr
    assert "4 pairs of classes in 320 queries" in done.stdout
