"""Regions of disagreement, in worlds in which they are known."""

import json
import math
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from torch import Tensor

import gevaldi
from conftest import begun, called
from gevaldi.comparison import Comparison
from gevaldi.errors import DataError, RunFolderError, SpecError, UnknownName
from gevaldi.mass import draws, stored
from gevaldi.mass.stored import StoredDraws
from gevaldi.models import Classifier, Generator, labels_of
from gevaldi.priors.standard_normal import standard_normal
from gevaldi.regions.discovery import discover
from gevaldi.regions.layout import map_of
from gevaldi.regions.measured import measure, traits
from gevaldi.regions.regions import Regions
from gevaldi.regions.rules import Bound, Rule, Table
from gevaldi.regions.tables import halves
from gevaldi.runs.store.run import Run

SIDE, WIDE = 16, 7.0  # the box of a bar grows by two pixels at odd widths
EDGES = np.linspace(-4, 4, 80_001)
DRAWS = 4_000


class Bars(Generator):
    """A bright bar on black, whose height and width are 5 + 2z pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = standard_normal(2)
        self.eval()

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        away = (torch.arange(SIDE).to(z) - (SIDE - 1) / 2).abs()
        height, width = (torch.sigmoid(8 * ((5 + 2 * size[:, None]).clamp(1, 13) / 2 - away)) for size in z.T)
        return (height[:, :, None] * width[:, None, :])[:, None]


class Tall(Classifier):
    """Reads bars as low or tall; with `plant`, tall ones that are wide as low."""

    def __init__(self, plant: bool = False) -> None:
        super().__init__()
        self.labels, self.plant = labels_of(["low", "tall"]), plant
        self.register_buffer("gain", torch.tensor(9.0 if plant else 10.0))
        self.eval()

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = (pictures.amax(axis).sum((1, 2)) for axis in (3, 2))
        logit = self.gain * (height - 6)
        if self.plant:
            logit = torch.where((width > WIDE) & (logit > 0), -logit, logit)
        return torch.stack([-logit / 2, logit / 2], 1).log_softmax(-1)


def mass_of_plant() -> float:
    """P(tall) P(wide), by integration over the sizes at which the formula of the bars exceeds a bound."""
    away = np.abs(np.arange(SIDE) - (SIDE - 1) / 2)
    total = (1 / (1 + np.exp(-8 * (np.clip(5 + 2 * EDGES[:, None], 1, 13) / 2 - away)))).sum(1)
    tall, wide = (float(norm.sf(EDGES[np.argmax(total > bound)])) for bound in (6, WIDE))
    return tall * wide


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A comparison with regions, which no test changes."""
    folder = tmp_path_factory.mktemp("planted") / "run"
    found = gevaldi.compare(Tall(), Tall(plant=True), Bars(), out=folder, samples=2, steps=3, audited=10, progress=False)
    found.regions(DRAWS, progress=False)
    return found


@pytest.fixture
def copied(planted: Comparison, tmp_path: Path) -> Comparison:
    shutil.copytree(str(planted.run.folder), tmp_path / "run")
    return Comparison(Run.open(tmp_path / "run"), planted.models)


@pytest.fixture(scope="module")
def regions(planted: Comparison) -> Regions:
    return Regions.of(planted.run)


def test_a_planted_difference_is_one_region_with_its_name_and_its_mass(regions: Regions) -> None:
    (region,) = regions.record["regions"]
    (bound,) = region["rule"]["bounds"]
    assert (region["first_class"], region["second_class"], region["systematic"]) == ("tall", "low", True)
    assert (bound["property"], bound["above"]) == ("width", True)
    assert 100 * 6 / SIDE < bound["value"] < 100 * 8 / SIDE
    assert region["drawn"]["mass"]["low"] <= mass_of_plant() <= region["drawn"]["mass"]["high"]
    assert region["drawn"]["rate"]["low"] > 0.85


def test_the_mass_of_different_top_classes_is_that_of_the_plant(planted: Comparison) -> None:
    mass = planted.mass(draws=DRAWS, progress=False)
    assert mass.probability.low <= mass_of_plant() <= mass.probability.high
    assert mass.by_pair == {("tall", "low"): mass.probability}


def test_a_region_has_pictures(regions: Regions) -> None:
    assert len(regions.pictures(1)) == 10
    (probable,) = regions.pictures(1, "probable")
    assert probable.size == (SIDE, SIDE)
    assert regions.pictures(1, "real") == []
    with pytest.raises(SpecError, match="no region 40; there are 1"):
        regions.pictures(40)
    with pytest.raises(UnknownName, match="exemplar"):
        regions.pictures(1, "exemplars")


def test_the_page_shows_the_region_and_its_pictures(planted: Comparison, tmp_path: Path) -> None:
    page = Path(planted.report(tmp_path / "report.html")).read_text()
    assert 'id="regions"' in page
    assert "tall or low: width above" in page
    assert page.count('class="c1"') > 100  # dots of the map


def test_a_region_is_the_same_whatever_is_drawn_before_and_how_often_it_is_asked_for(copied: Comparison) -> None:
    before = (copied.run.folder / "regions" / "regions.json").read_text()
    copied.mass(draws=DRAWS + 1_000, progress=False)
    copied.regions(DRAWS, progress=False)
    assert (copied.run.folder / "regions" / "regions.json").read_text() == before


def test_equal_classifiers_have_an_upper_bound_and_no_region(tmp_path: Path) -> None:
    bolder = Tall()
    bolder.gain += 1
    same = gevaldi.compare(Tall(), bolder, Bars(), out=tmp_path / "run", samples=1, steps=1, audited=10, progress=False)
    found = same.regions(3_000, progress=False)
    assert len(found) == 0
    assert "agree on all 3,000 draws" in found.sentences[0]
    assert found.record["mass"]["value"] == 0
    assert found.record["mass"]["high"] == pytest.approx(1 - 0.025 ** (1 / 3_000), rel=1e-3)
    assert Path(same.report()).exists()


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"format": 99}'])
def test_a_damaged_record_is_an_error_that_says_what_to_do(copied: Comparison, damage: str) -> None:
    (copied.run.folder / "regions" / "regions.json").write_text(damage)
    with pytest.raises(RunFolderError, match="find them again"):
        copied.report()


def test_draws_of_another_run_are_refused(planted: Comparison, tmp_path: Path) -> None:
    other = gevaldi.compare(Tall(), Tall(plant=True), Bars(), out=tmp_path / "run", samples=1, steps=1, seed=1, progress=False)
    shutil.copytree(planted.run.folder / "regions", tmp_path / "run" / "regions")
    with pytest.raises(RunFolderError, match="belongs to a run of another spec"):
        other.regions(1_000, progress=False)


def test_a_changed_part_of_draws_is_refused(copied: Comparison) -> None:
    part = next((copied.run.folder / "regions" / "draws").glob("part-*"))
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    with pytest.raises(RunFolderError, match="Delete it, and its draws are computed again"):
        copied.regions(DRAWS, progress=False)


@pytest.mark.parametrize("most", [0, 1_000_000])
def test_a_million_regions_are_refused(planted: Comparison, most: int) -> None:
    with pytest.raises(SpecError, match="1 to 1,000"):
        planted.regions(1_000, most=most, progress=False)


@pytest.mark.parametrize("draws", [-5, 0, 1])
def test_draws_that_are_too_few_are_refused(planted: Comparison, draws: int) -> None:
    with pytest.raises(SpecError, match="at least 2"):
        planted.mass(draws=draws, progress=False)


def test_few_draws_of_many_conditions_are_refused() -> None:
    with pytest.raises(SpecError, match="at least 2,000"):
        halves(table(1_000), 1_000)


def test_one_region_may_be_asked_for(copied: Comparison) -> None:
    assert len(copied.regions(2_000, most=1, progress=False)) == 1


def table(count: int, seed: int = 0) -> Table:
    """Two classifiers of four classes that err at random in one of a hundred pictures, and twelve properties that say nothing."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 4, count)
    both = [np.where(random.random(count) < 0.01, random.integers(0, 4, count), truth) for _ in range(2)]
    return Table(np.arange(count), truth, *both, random.normal(size=(count, 12)), tuple(f"p{i}" for i in range(12)))  # type: ignore[call-arg]


def plant(table: Table, a: int, b: int, where: np.ndarray) -> Table:
    """The same, with a read as b by the second classifier somewhere."""
    second = np.where((table.second == a) & where, b, table.second)
    return Table(table.index, table.condition, table.first, second, table.properties, table.names)


def test_properties_that_say_nothing_make_no_bounds() -> None:
    for seed in range(10):
        assert all(region.rule.bounds == () for region in discover(table(10_000, seed)))


@pytest.mark.parametrize("above", [True, False])
def test_a_planted_bound_is_discovered_with_its_property_and_direction(above: bool) -> None:
    random = table(20_000)
    values = random.properties[:, 7] if above else -random.properties[:, 7]
    first = discover(plant(random, 2, 3, values > 1))[0]
    (bound,) = first.rule.bounds
    assert (first.a, first.b, first.rule.side, bound.property, bound.above) == (2, 3, "first", "p7", above)
    assert abs(bound.value) == pytest.approx(1, abs=0.05)


def test_a_difference_in_a_whole_class_needs_no_bound() -> None:
    first = discover(plant(table(20_000), 1, 0, np.ones(20_000, dtype=bool)))[0]
    assert (first.a, first.b, first.rule) == (1, 0, Rule("first", 1))


def test_every_disagreement_is_in_one_region_at_most() -> None:
    random = table(20_000)
    planted = plant(plant(random, 2, 3, random.properties[:, 7] > 1), 2, 3, random.properties[:, 1] < -1.5)
    counts = sum(region.disputed(planted).astype(int) for region in discover(planted))
    assert counts.max() == 1
    assert (counts[~planted.differ] == 0).all()


def test_the_numbers_of_a_region_are_counts() -> None:
    random = table(20_000)
    planted = plant(random, 2, 3, random.properties[:, 7] > 1)
    region = measure(discover(planted), planted)[0]
    inside = (planted.first == 2) & (planted.properties[:, 7] > region.rule.bounds[0].value)
    hits = inside & (planted.second == 3)
    assert region.drawn.mass.value == hits.mean()
    assert region.drawn.share.value == hits.sum() / planted.differ.sum()
    assert region.drawn.rate.value == hits.sum() / inside.sum()
    assert region.drawn.first_right.value == (planted.condition[hits] == 2).mean()
    assert region.systematic


def test_a_trait_is_the_statistic_of_mann_and_whitney() -> None:
    random = np.random.default_rng(3)
    values = np.round(random.normal(size=(400, 1)), 1)  # with ties
    here = np.arange(400) < 150
    values[here] += 1.5
    whole = Table(np.arange(400), *(np.zeros(400, int) for _ in range(3)), values, ("p",))  # type: ignore[call-arg]
    (trait,) = traits(here, ~here, whole)
    assert trait.larger == pytest.approx(mannwhitneyu(values[here, 0], values[~here, 0]).statistic / (150 * 250))


def test_a_bound_leaves_out_pictures_without_the_property() -> None:
    whole = Table(np.arange(3), *(np.zeros(3, int) for _ in range(3)), np.array([[1.0], [3.0], [math.nan]]), ("p",))  # type: ignore[call-arg]
    assert Bound("p", True, 2.0).holds(whole).tolist() == [False, True, False]
    assert Bound("p", False, 2.0).holds(whole).tolist() == [True, False, False]


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_a_map_has_a_place_for_every_picture(count: int) -> None:
    places = map_of(np.random.default_rng(0).normal(size=(count, 6)))
    assert places.shape == (count, 2)
    assert ((places >= 0) & (places <= 1)).all()


def test_pictures_that_are_all_alike_stand_in_a_row_on_the_map() -> None:
    for vectors in (np.ones((50, 8)), np.full((50, 2), np.nan)):
        places = map_of(vectors)
        assert len(np.unique(places[:, 0])) == 50


def test_pictures_that_look_alike_are_neighbours_on_the_map() -> None:
    random = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], 60)
    places = map_of(random.normal(size=(180, 20)) + 12 * group[:, None])
    nearest = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(180)
    assert (group[nearest.argmin(1)] == group).mean() > 0.95


WITH_A_PLANT = ("bundled:mnist-strided-1k", "planted:digits-slant-4-9")


@pytest.fixture(scope="module")
def planted_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a command with a pool, which no test changes."""
    out = tmp_path_factory.mktemp("planted_run") / "run"
    words = ["-g", "bundled:mnist-vae", "--draws", "1500", "--pool", "bundled:mnist-digits", "--out", str(out)]
    done = called(out.parent, "regions", *WITH_A_PLANT, *words)
    assert done.returncode == 0, done.stderr
    assert "of what is drawn" in done.stdout
    return out


@pytest.mark.slow
def test_the_command_writes_a_page_without_a_search_and_adds_real_pictures(planted_run: Path, tmp_path: Path) -> None:
    page = (planted_run / "report.html").read_text()
    assert "This run has no search yet" in page
    assert 'id="regions"' in page
    out = shutil.copytree(planted_run, tmp_path / "run")
    pool = ("--pool", "bundled:mnist-digits")
    done = called(tmp_path, "regions", str(out), "--draws", "1500", "--regions", "2", "--no-report", *pool, columns=160)
    assert done.returncode == 0
    regions = json.loads((out / "regions" / "regions.json").read_text())["regions"]
    head, *rows = done.stdout[done.stdout.index("  region  ") :].splitlines()
    assert head.endswith("real ones disputed")
    assert [int(row.split()[-1]) for row in rows[: len(regions)]] == [region["real"]["disputed"] for region in regions]


def test_the_command_says_what_a_folder_alone_cannot_have(tmp_path: Path) -> None:
    done = called(tmp_path, "regions", str(tmp_path), "-g", "bundled:mnist-vae")
    assert done.returncode == 2
    assert "gevaldi regions FIRST SECOND -g GENERATOR" in done.stderr
    done = called(tmp_path, "regions", str(tmp_path))
    assert done.returncode == 2
    assert "There is no run in" in done.stderr


@pytest.mark.slow
def test_disagreements_that_are_too_rare_for_counting_are_shown_by_subset_simulation(tmp_path: Path) -> None:
    pair = ("bundled:mnist-strided-1k", "quantised:bundled:mnist-strided-1k,bits=8")
    rare = gevaldi.compare(*pair, "bundled:mnist-vae", out=tmp_path / "run", samples=1, steps=1, audited=10, progress=False)
    found = rare.regions(2_000, most=2, progress=False)
    assert found.record["mass"]["method"] == "subset simulation"
    assert 0 < found.record["mass"]["low"] < found.record["mass"]["high"] < 0.01
    assert all((region["kind"], region["rate_words"]) == ("", "–") for region in found.record["regions"])
    assert all(" of " not in region["mass_words"] for region in found.record["regions"])
    assert "estimated by subset simulation" in " ".join(found.sentences)
    assert Path(rare.report()).exists()


@pytest.mark.slow
def test_a_killed_command_goes_on_with_the_draws_that_are_missing_whatever_the_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ["bundled:mnist-strided-1k", "bundled:mnist-pooled-1k", "-g", "bundled:mnist-vae"]
    command = ["regions", *pair, "--draws", "2500", "--regions", "1", "--no-report"]
    monkeypatch.setattr(stored, "BLOCKS", 1)
    folder = tmp_path / "cut" / "regions" / "draws"
    child = begun(tmp_path, *command, "--out", "cut")
    while not [*folder.glob("part-*")] and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    parts = {part.name: part.stat().st_ino for part in folder.glob("part-*")}
    with monkeypatch.context() as patch:
        three = partial(ThreadPoolExecutor, initializer=torch.set_num_threads, initargs=(3,))  # each thread has a number of its own
        patch.setattr(draws, "ThreadPoolExecutor", three)
        assert called(tmp_path, *command, "--out", "cut").returncode == 0
    assert 0 < len(parts) < len([*folder.glob("part-*")])
    assert all((folder / name).stat().st_ino == inode for name, inode in parts.items())
    assert called(tmp_path, *command, "--out", "whole").returncode == 0
    cut, whole = (StoredDraws.of(Run.open(tmp_path / name)).table() for name in ("cut", "whole"))
    assert cut.equals(whole)


class Failing(Tall):
    """Raises an error on bars that are very tall, and answers NaN to very wide ones."""

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = (pictures.amax(axis).sum((1, 2)) for axis in (3, 2))
        if (height > 10.5).any():
            raise ValueError("too tall")
        return torch.where((width > 10.5)[:, None], torch.nan, super().forward(pictures))


def test_a_draw_that_fails_is_left_out_and_reported(tmp_path: Path) -> None:
    pair = (Failing(), Tall(plant=True), Bars())
    found = gevaldi.compare(*pair, out=tmp_path / "other", samples=1, steps=1, audited=10, progress=False)
    record = found.regions(2_000, progress=False).record
    drawn = StoredDraws.of(found.run).table().to_pylist()
    failed = [row for row in drawn if row["error"]]
    assert {row["error"].partition(" (")[0] for row in failed} == {"ValueError: too tall", "a prediction is not a number"}
    assert all(row["first"] == -1 for row in failed)
    assert f"{len([row for row in failed if row['index'] < 2_000]):,} draws failed" in " ".join(record["sentences"])


def test_the_real_pictures_of_a_region_are_a_pool_of_a_verdict(planted_run: Path, tmp_path: Path) -> None:
    region = json.loads((planted_run / "regions" / "regions.json").read_text())["regions"][0]
    assert len(region["places"]) == region["real"]["covered"] > 10
    verdict = gevaldi.verdict(*WITH_A_PLANT, f"region:{planted_run},number=1", predictions=tmp_path / "predictions", progress=False)
    assert verdict.pool.ids.to_pylist() == [str(place) for place in region["places"]]
    assert len(verdict.disputed) >= region["real"]["disputed"]
    with pytest.raises(DataError, match="it has"):
        gevaldi.verdict(*WITH_A_PLANT, f"region:{planted_run},number=900", predictions=tmp_path / "predictions", progress=False)
    with pytest.raises(DataError, match="has no regions"):
        gevaldi.verdict(*WITH_A_PLANT, f"region:{tmp_path}", predictions=tmp_path / "predictions", progress=False)
