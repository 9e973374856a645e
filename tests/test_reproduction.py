"""Figures of the paper made again: claims that hold where they should, and say so where they cannot be tested."""

import csv
import io
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scipy import stats

from conftest import IMAGENET, called, needs_imagenet, record
from gevaldi.calls import Call
from gevaldi.classifiers import load_classifier
from gevaldi.compute import Compute
from gevaldi.errors import RunFolderError, SpecError, UnknownName
from gevaldi.experiments import read_experiment
from gevaldi.fetching import only_at_hand
from gevaldi.figures import mean_bands
from gevaldi.measures.paths import mean_band
from gevaldi.measures.sweeps import END, columns, entries, seen_in
from gevaldi.reports.reproduction import ClaimResult, write_figure, write_index
from gevaldi.reproduction import claims, figures
from gevaldi.reproduction.evidence import Evidence, NotTestable, column, judge, rise
from gevaldi.reproduction.execution import WorldResult, no_firmer, reproduce
from gevaldi.reproduction.figures import paper_figure
from gevaldi.reproduction.spec import read_reproduction, reproductions
from gevaldi.runs.near_duplicates import summary_of
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row, schema
from gevaldi.spec import Spec
from gevaldi.statistics.contrasts import contrast
from gevaldi.statistics.intervals import Estimate
from gevaldi.taxonomy import distances as between
from gevaldi.taxonomy import find_taxonomy
from gevaldi.taxonomy.read import taxonomy_as_json
from test_reports import NO_LINES

ON_CPU = Compute("cpu", progress=False)


def test_over_three_replicates_a_contrast_is_students_interval_of_the_differences_between_their_means() -> None:
    noise = np.random.default_rng(0)
    one, other = noise.normal(1, 1, (4, 30)), noise.normal(0, 2, (4, 30))
    found = contrast([1, -1], [list(map(list, one)), list(map(list, other))])
    expected = stats.ttest_1samp(one.mean(1) - other.mean(1), 0)
    low, high = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_of_one_replicate_a_contrast_is_welchs_interval_over_the_samples() -> None:
    noise = np.random.default_rng(0)
    one, other = noise.normal(1, 1, 12), noise.normal(0, 3, 40)
    found = contrast([1, -1], [[list(one)], [list(other)]])
    low, high = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert (found.value, found.low, found.high) == pytest.approx((one.mean() - other.mean(), low, high))
    assert np.isnan(contrast([1], [[[2.0]]]).low)
    assert contrast([1], [[[2.0] * 6]]) == Estimate(2, 2, 2)
    assert np.isnan(contrast([1], [[[]]]).value)


@pytest.mark.parametrize("replicates", [1, 3])
def test_the_interval_for_more_samples_holds_the_one_that_they_have(replicates: int) -> None:
    noise, held, wider = np.random.default_rng(replicates), 0, 0
    for _ in range(400):
        means = noise.normal(0, 1, replicates)
        whole = [list(map(list, mean + noise.normal(0, 2, (replicates, 128)))) for mean in (means[:, None], means[:, None] + 0.5)]
        first = [[values[:32] for values in group] for group in whole]
        reach, full, alone = contrast([1, -1], first, 4), contrast([1, -1], whole), contrast([1, -1], first)
        held += reach.low <= full.low <= full.high <= reach.high
        wider += reach.low < alone.low < alone.high < reach.high
    assert held >= 396
    assert wider == 400


def test_a_few_starts_are_no_firmer_than_the_full_set_of_them(tmp_path: Path) -> None:
    near = evidence_of(tmp_path / "near", a=distances((1, 3, 3.3), (9, 9, 9)))
    far = evidence_of(tmp_path / "far", a=distances((1, 30, 300), (9, 9, 9)))
    claim = 'larger-sets-start-farther,runs=["a"],sizes=[1,3,5]'
    for evidence, verdict in ((near, "undecided"), (far, "holds")):
        assert claims.finding_of(evidence, claim).verdict == "holds"
        found = no_firmer(evidence, claim, 4)
        assert found.verdict == verdict
        assert ("of 4 times as many starts, may leave it so" in found.rests_on) == (verdict == "undecided")
        assert no_firmer(evidence, claim, 1) == claims.finding_of(evidence, claim)


def test_the_quick_set_has_the_searches_of_the_full_set_and_only_fewer_starts() -> None:
    for name in reproductions():
        for world in read_reproduction(name).worlds.values():
            if world.quick is not None:
                experiment = read_experiment(world.experiment)
                for full, quick in zip(experiment.specs().values(), experiment.specs({}, world.quick).values(), strict=True):
                    assert quick == full.model_copy(update={"samples": quick.samples})
                    assert quick.samples < full.samples


def test_means_and_intervals_of_distances_stay_within_the_hierarchy(tmp_path: Path) -> None:
    about = {"name": "x", "classes": ["a", "b"], "largest": 3.0, "set_sizes": [1], "convention": "published"}
    rows = [
        {"set_distance_1_start": 0.0 if i else 3.0, "set_distance_1_end": 3.0 if i else 0.0, "delta_z": 0.0 if i else 1.0,
         "path_set_distance_1": [0.0 if i else 3.0, 3.0 if i else 0.0], "path_divergence": [0.0, 0.0 if i else 1.0]}
        for i in range(4)
    ]  # fmt: skip
    run = made(tmp_path, rows, taxonomy=about)
    evidence = Evidence({"a": [run]})
    for stage, values in (("start", [3.0, 0, 0, 0]), ("end", [0.0, 3, 3, 3])):
        low, high = stats.ttest_1samp(values, 0).confidence_interval()
        assert low < 0 or high > 3
        found = evidence.mean("a", column(f"set_distance_1_{stage}"))
        assert (found.low, found.high) == pytest.approx((max(0.0, low), min(3.0, high)))
    assert evidence.mean("a", rise("set_distance_1")).high == 3.0
    assert evidence.mean("a", column("delta_z")).low == 0.0
    (summary,) = summary_of(run)
    assert (summary.set_distance_start[1].low, summary.set_distance_end[1].high) == (0.0, 3.0)
    bands = mean_bands(run, ["path_set_distance_1", "path_divergence"])
    assert bands["path_set_distance_1"]["forward"].low.min() == 0.0
    assert bands["path_set_distance_1"]["forward"].high.max() == 3.0
    assert bands["path_divergence"]["forward"].low.min() == 0.0
    seen = seen_in(run.each(columns((1,))), "forward", "first", 3.0)
    (entry,) = [e for e in entries({("a", "b"): seen}, "kl", 0.0, END) if e.quantity == "set_distance_1"]
    assert entry.estimate.high == 3.0


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("groups", [[[[1.0] * 5]], [[[1.0]] * 3]])
def test_few_values_that_are_all_alike_have_no_interval_and_decide_nothing(groups: list[list[list[float]]]) -> None:
    found = contrast([1], groups)
    assert found.value == 1
    assert np.isnan(found.low)
    assert judge({"a": found}, "").verdict == "undecided"


def made(folder: Path, rows: Sequence[dict[str, Any]], **about: Any) -> Run:
    """A run of synthetic rows."""
    spec = Spec(first="a", second="b", generator="g", samples=len(rows), orders="forward")
    run = Run.create(folder, spec, record() | about)
    run.append([{"index": i, "seed": i, "order": "forward", "status": "converged"} | row for i, row in enumerate(rows)])
    return run


def spread(mean: float, count: int = 12, width: float = 0.5) -> list[float]:
    """Numbers around a mean."""
    return [mean + width * value for value in np.linspace(-1, 1, count)]


def evidence_of(folder: Path, **runs: Sequence[dict[str, Any]]) -> Evidence:
    return Evidence({name: [made(folder / name, rows)] for name, rows in runs.items()}, {"lost": "its weights are not at hand"})


def rows_of(**columns: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def distances(starts: Sequence[float], ends: Sequence[float]) -> list[dict[str, Any]]:
    """Rows with set distances of 1, 3 and 5 classes around these means."""
    shifted = [np.roll(spread(0), i) for i in range(6)]
    columns = {f"set_distance_{n}_start": np.add(shifted[i], starts[i]) for i, n in enumerate((1, 3, 5))}
    columns |= {f"set_distance_{n}_end": np.add(shifted[i + 3], ends[i]) for i, n in enumerate((1, 3, 5))}
    return rows_of(**{key: values.tolist() for key, values in columns.items()})


@pytest.mark.parametrize(
    ("claim", "starts", "ends", "verdict"),
    [
        ('larger-sets-start-farther,runs=["a"],sizes=[1,3,5]', (1, 3, 5), (9, 9, 9), "holds"),
        ('larger-sets-start-farther,runs=["a"],sizes=[1,3,5]', (5, 3, 1), (9, 9, 9), "does not hold"),
        ('larger-sets-start-farther,runs=["a"],sizes=[1,3,5]', (1, 3, 3.01), (9, 9, 9), "undecided"),
        ('rise-shrinks-with-size,runs=["a"],sizes=[1,3,5]', (1, 2, 3), (9, 7, 5), "holds"),
        ('rise-shrinks-with-size,runs=["a"],sizes=[1,3,5]', (1, 2, 3), (2, 7, 10), "does not hold"),
    ],
)
def test_claims_about_set_sizes_are_judged_by_what_the_rows_say(
    tmp_path: Path, claim: str, starts: Sequence[float], ends: Sequence[float], verdict: str
) -> None:
    found = claims.finding_of(evidence_of(tmp_path, a=distances(starts, ends)), claim)
    assert found.verdict == verdict
    assert found.rests_on == "12 starts; for these networks only"


def test_a_run_that_could_not_be_made_is_left_out_of_a_claim_about_each_and_named(tmp_path: Path) -> None:
    found = claims.finding_of(
        evidence_of(tmp_path, a=distances((1, 3, 5), (9, 9, 9))), 'larger-sets-start-farther,runs=["a","lost"],sizes=[1,3]'
    )
    assert found.verdict == "holds"
    assert found.rests_on.endswith("without lost, which failed")


def capacities(folder: Path, alike: float, different: float) -> Evidence:
    def run(end: float, level: float) -> list[dict[str, Any]]:
        paths = [[0.0, *[value / 2] * 9, value / 2, value] for value in spread(end)]
        return rows_of(
            divergence_end=spread(end), divergence_start=[0.0] * 12, path_divergence=paths, delta_z=spread(0.25, width=0.02),
            set_distance_1_start=[1.0] * 12, set_distance_1_end=spread(level),
        )  # fmt: skip

    return evidence_of(folder, low=run(alike, 6), high=run(alike, 3), mixed=run(different, 4.5))


def test_claims_about_capacity_are_judged_by_what_the_rows_say(tmp_path: Path) -> None:
    found = capacities(tmp_path / "as the paper says", 4, 8)
    other = capacities(tmp_path / "the other way round", 8, 4)
    for of in ("end", "growth"):
        asked = f'difference-raises,of={of},alike=["low","high"],different=["mixed"]'
        assert (claims.finding_of(found, asked).verdict, claims.finding_of(other, asked).verdict) == ("holds", "does not hold")
    growth = claims.finding_of(found, 'difference-raises,of=growth,alike=["low","high"],different=["mixed"]').measured
    assert next(iter(growth.values())).value == pytest.approx((8 - 4) / 2)  # half of it is reached at step 10
    for of in ("end", "rise"):
        assert claims.finding_of(found, f'low-capacity-farther,of={of},low=["low"],high=["high"]').verdict == "holds"
        backwards = f'low-capacity-farther,of={of},low=["high"],between=["mixed"],high=["low"]'
        assert claims.finding_of(found, backwards).verdict == "does not hold"
    assert claims.finding_of(found, "divergence-rises").verdict == "holds"
    assert claims.finding_of(found, "order-matters,one=low,other=mixed").verdict == "holds"
    assert claims.finding_of(found, "order-matters,one=low,other=high").verdict == "undecided"
    assert claims.finding_of(found, 'order-is-recovered,by=set_distance_1_end,runs=["high","mixed","low"]').verdict == "holds"
    assert claims.finding_of(found, "delta-z-is,about=0.25,within=0.05").verdict == "holds"
    assert claims.finding_of(found, "delta-z-is,about=0.9,within=0.05").verdict == "does not hold"
    assert claims.finding_of(found, "delta-z-is,about=0.25,within=0.001").verdict == "undecided"


def test_what_cannot_be_tested_says_why_and_what_does_not_exist_is_answered(tmp_path: Path) -> None:
    evidence = capacities(tmp_path, 4, 8)
    found = claims.finding_of(evidence, "order-matters,one=low,other=lost")
    assert (found.verdict, found.rests_on) == ("not tested", "the run lost failed")
    found = claims.finding_of(evidence, 'larger-sets-start-farther,runs=["low"],sizes=[1,7]')
    assert found.verdict == "not tested"
    assert claims.finding_of(evidence, "remain-readable,run=low,more_than=0.5").verdict == "not tested"
    with pytest.raises(UnknownName, match="order-matters"):
        claims.finding_of(evidence, "order-mattrs,one=low,other=high")
    with pytest.raises(SpecError, match="other"):
        claims.finding_of(evidence, "order-matters,one=low")
    with pytest.raises(SpecError, match="end or growth"):
        claims.finding_of(evidence, 'difference-raises,of=start,alike=["low"],different=["high"]')
    with pytest.raises(NotTestable, match="the run lost failed"):
        paper_figure(evidence, "samples,run=lost,count=2")


def test_a_pair_that_is_not_above_every_other_keeps_a_claim_about_differences_from_holding(tmp_path: Path) -> None:
    runs = {
        name: rows_of(path_divergence=[[0.0, end] for end in spread(level)])
        for name, level in (("low", 8), ("high", 2), ("mixed", 8))
    }
    found = claims.finding_of(evidence_of(tmp_path, **runs), 'difference-raises,of=end,alike=["low","high"],different=["mixed"]')
    assert found.verdict == "undecided"
    assert found.measured["mean of different minus mean of alike, nats"].low > 0  # though in the mean it is above


def test_a_search_that_ends_below_its_best_step_is_seen_to_have_fallen(tmp_path: Path) -> None:
    paths = [[1.0, 3.0, 0.5 + 0.01 * i] for i in range(8)]
    rows = rows_of(path_divergence=paths, divergence_start=[1.0] * 8, divergence_end=[3.0] * 8)
    found = claims.finding_of(evidence_of(tmp_path, a=rows), "divergence-rises")
    assert found.verdict == "does not hold"
    assert found.measured["a, share of steps that rise"].value == 0.5


def test_two_orders_of_one_start_count_as_one(tmp_path: Path) -> None:
    ends = [1.0, 3.0, 2.0, 6.0, 5.0, 5.0, 0.0, 2.0]
    rows = [{"seed": i // 2, "order": ("forward", "reverse")[i % 2], "delta_z": end} for i, end in enumerate(ends)]
    found = claims.finding_of(evidence_of(tmp_path, a=rows), "delta-z-is,about=3,within=9").measured["a"]
    low, high = stats.ttest_1samp([2.0, 4.0, 5.0, 1.0], 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert evidence_of(tmp_path / "again", a=rows).rests_on("a") == "4 starts; for these networks only"


def test_a_set_of_classes_has_its_distance_to_itself_shown_beside(tmp_path: Path) -> None:
    rows = distances((1, 3, 5), (9, 9, 9))
    labels = [{"label": i, "name": str(i), "id": None, "probability": 0.2} for i in (4, 9, 7, 1, 0)]
    taxonomy = find_taxonomy("mnist-digits")
    about = {"classes": list(taxonomy.classes), "convention": "published"}
    run = made(tmp_path, [row | {"first_start": labels} for row in rows], taxonomy=about)
    (tmp_path / "taxonomy.json").write_text(taxonomy_as_json(taxonomy))
    found = claims.finding_of(Evidence({"a": [run]}), 'larger-sets-start-farther,runs=["a"],sizes=[1,3]').measured
    half = between(taxonomy)
    triple = [taxonomy.classes.index(f"digit:{i}") for i in (4, 9, 7)]
    assert found["a, n = 1, the first's set from itself"].value == 0
    assert found["a, n = 3, the first's set from itself"].value == pytest.approx(half[np.ix_(triple, triple)].mean())


def test_a_referee_that_raises_leaves_the_other_claims_alone(tmp_path: Path) -> None:
    rows = rows_of(condition_name=["1"] * 3, picture_start=[png()] * 3, picture_end=[png()] * 3)
    evidence = evidence_of(tmp_path, a=rows)
    colours = "lambda: gevaldi.classifier(nn.Sequential(nn.Conv2d(3, 2, 28), nn.Flatten()), 2)"
    (tmp_path / "mine.py").write_text(f"import gevaldi\nfrom torch import nn\nreferee = {colours}\n")
    for referee, word in ((f"python:{tmp_path}/mine.py:referee", "3 channels"), ("bundled:mnist-nobody", "mnist-pooled")):
        asked = Evidence(evidence.runs, {}, {"referee": referee})
        found = claims.finding_of(asked, "remain-readable,run=a,more_than=0.5")
        assert found.verdict == "not tested"
        assert word in found.rests_on
    read = claims.finding_of(Evidence(evidence.runs, {}, {"referee": "bundled:mnist-referee"}), "occurs,kind=unclear,run=a")
    assert read.rests_on.startswith(("0 of 3", "3 of 3"))


def png() -> dict[str, Any]:
    sink = io.BytesIO()
    Image.fromarray(np.zeros((28, 28), dtype=np.uint8)).save(sink, "PNG")
    return {"bytes": sink.getvalue(), "path": None}


def test_a_kind_that_was_not_found_is_undecided_with_the_share_that_it_may_still_have(tmp_path: Path) -> None:
    kinds = rows_of(flipped=["first"] * 8, shift=["lateral"] * 2 + ["near"] * 6, right_start=["both"] * 8, right_end=["both"] * 8,
                    both_more_confident=[False] * 8)  # fmt: skip
    evidence = evidence_of(tmp_path, a=kinds)
    assert claims.finding_of(evidence, "occurs,kind=lateral,run=a").measured["lateral flips"].value == 2 / 8
    none = claims.finding_of(evidence, "occurs,kind=both-more-confident,run=a")
    assert none.verdict == "not seen"
    assert none.measured["both more confident and right"].high == pytest.approx(
        stats.binomtest(0, 8).proportion_ci(method="wilson").high
    )
    with pytest.raises(SpecError, match="same-level"):
        claims.finding_of(evidence, "occurs,kind=same-lvel,run=a")


@pytest.mark.parametrize("name", reproductions())
def test_every_figure_names_experiments_drawings_claims_and_runs_that_there_are(name: str) -> None:
    asked = read_reproduction(name)
    figure = Call.parse(asked.figure)
    assert figure.name in figures.registry.names()
    with pytest.raises(NotTestable):  # and not for want of an option
        paper_figure(Evidence({}, {}), asked.figure)
    for world in asked.worlds.values():
        runs = set(read_experiment(world.experiment).runs)
        read_experiment(world.experiment).specs(assignments=world.quick or ())
        assert not (named_in(figure) - runs - {"evenly"})  # of which there are no ImageNet networks
        for claim in asked.claims:
            call = Call.parse(claim.test)
            assert call.name in claims.registry.names()
            assert call.options.get("by", "index") in schema().names
            assert claims.finding_of(Evidence({}, {}), claim.test).verdict == "not tested"  # its options fit
            assert not (named_in(call) - runs - {"evenly"})


def named_in(call: Call) -> set[str]:
    """The runs that a claim or a figure names."""
    one = {call.options[key] for key in ("run", "one", "other") if key in call.options}
    several = ("runs", "pairs", "low", "high", "between", "alike", "different")
    return one | {run for key in several for run in call.options.get(key, ())}


def test_replicates_are_of_other_networks_and_other_starts() -> None:
    specs = read_experiment("appendix-b-digits").specs({"low": "bundled:mnist-strided"}, ["samples=5"])
    assert list(specs)[:3] == ["both-low-0", "both-low-1", "both-low-2"]
    assert [specs[f"both-high-{i}"].first for i in range(3)] == [f"bundled:mnist-strided-61k,seed={i}" for i in range(3)]
    assert [specs[f"both-low-{i}"].first for i in range(3)] == ["bundled:mnist-strided"] * 3
    assert [specs[f"both-low-{i}"].seed for i in range(3)] == [0, 1, 2]


def test_in_the_quick_set_nothing_is_fetched_and_what_is_not_at_hand_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    asked = read_reproduction("figure-1")
    *outcomes, last = reproduce(asked, "pictures", tmp_path / "out", ON_CPU, quick=True)
    assert isinstance(last, WorldResult)
    assert [o.run for o in outcomes] == [None]  # type: ignore[union-attr]
    assert {finding.verdict for finding in last.findings} == {"not tested"}
    assert last.evidence
    assert "empty" in last.evidence.failed["examples"]  # where it was looked for
    assert "only what is on this machine" in last.evidence.failed["examples"]
    assert {finding.rests_on for finding in last.findings} == {"the run examples failed"}
    *none, left_out = reproduce(asked, "paper", tmp_path / "out", ON_CPU, quick=True)
    assert not none
    assert isinstance(left_out, WorldResult)
    assert {finding.rests_on for finding in left_out.findings} == {"left out of the quick set"}


@pytest.mark.slow
def test_a_world_that_is_not_computed_now_shows_what_was_made_before(tmp_path: Path) -> None:
    asked = read_reproduction("figure-2")
    small = {"assignments": ["samples=3", "search.steps=4", "audited=2"]}
    *_, nothing = reproduce(asked, "digits", tmp_path, None, **small)
    assert {finding.rests_on for finding in nothing.findings} == {"left out"}  # type: ignore[union-attr]
    *_, now = reproduce(asked, "digits", tmp_path, ON_CPU, **small)
    (later,) = reproduce(asked, "digits", tmp_path, None, **small)
    assert later.findings == now.findings  # type: ignore[union-attr]


def test_what_may_not_be_fetched_is_allowed_again_afterwards() -> None:
    from gevaldi.fetching import announce

    with pytest.raises(OSError, match="only what is on this machine"), only_at_hand():
        announce("weights", "name a file")
    announce("weights", "name a file")


def test_the_page_and_the_tables_say_what_was_tested_and_hostile_words_are_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    tested = [
        ClaimResult("a claim", hostile, "holds", {"less": Estimate(1.5, 0.5, 2.5)}, "8 samples"),
        ClaimResult("another", hostile, "not tested", {}, hostile),
    ]
    page = write_figure("figure-9", "Figure 9", "what is seen", {}, tested, "gevaldi reproduce figure-9", tmp_path).read_text()
    assert "<script>alert" not in page
    assert "1.5 (0.5 to 2.5)" in page
    rows = read(tmp_path / "figure-9-claims.csv")
    assert [(row["claim"], row["verdict"], row["value"]) for row in rows] == [
        ("a claim", "holds", "1.5"),
        ("another", "not tested", ""),
    ]
    write_figure("figure-8", "Figure 8", "", {}, tested[:1], "", tmp_path)
    index = write_index(tmp_path).read_text()
    assert index.index("Figure 8") < index.index("Figure 9")
    (tmp_path / "figure-7-claims.csv").write_text("other,columns\n1,2\n")
    with pytest.raises(Exception, match=r"figure-7-claims.csv is not a table of claims"):
        write_index(tmp_path)


def test_a_network_that_is_missing_is_named_once_in_the_terminal_and_once_on_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    figures = ["figure-1", "figure-3", "figure-4", "figure-5", "model-selection"]
    done = called(tmp_path, "reproduce", *figures, "--quick", "--world", "pictures", "--out", "out")
    assert done.returncode == 0, done.stderr
    whole = done.stdout + done.stderr
    missing = [name for name in ("squeezenet1_0", "mobilenet_v2") if f"The weights of torchvision:{name}" in whole]
    assert missing
    assert all(whole.count(f"The weights of torchvision:{name}") == 1 for name in missing)
    assert "not tested     pictures  4 claims: the run examples failed" in done.stdout
    for figure in figures:
        page = (tmp_path / "out" / f"{figure}.html").read_text()
        assert max(page.count(f"The weights of torchvision:{name}") for name in missing) == 1


def width(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.width


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*NO_LINES)  # half the time of the reports of its runs
        if IMAGENET:
            patch.setenv("GEVALDI_IMAGENET", str(IMAGENET))
        return called(folder.parent, "reproduce", *words, "--out", str(folder), "--device", "cpu")


@pytest.mark.slow
def test_figure_3_is_drawn_from_the_rows_and_made_only_once(tmp_path: Path) -> None:
    small = ["--quick", "--world", "digits", "--set", "samples=2", "--set", "search.steps=6", "--set", "audited=4"]
    done = command(tmp_path, "figure-3", *small)
    assert done.returncode == 0, done.stderr
    assert "§4.2: larger sets start farther apart" in done.stdout
    assert width(tmp_path / "figure-3-digits.png") > 1000
    assert (tmp_path / "figure-3-digits.svg").read_text().startswith("<?xml")
    rows = [row for row in read(tmp_path / "figure-3-digits.csv") if row["line"] == "low-then-high"]
    runs = [Run.open(tmp_path / "appendix-b-digits" / f"low-then-high-{i}") for i in range(3)]
    paths = [row["path_divergence"] for run in runs for row in run.each(["path_divergence"])]
    assert [float(row["mean"]) for row in rows] == pytest.approx(mean_band(paths).middle.tolist(), rel=1e-4)
    page = (tmp_path / "figure-3.html").read_text()
    assert "networks of 3 seeds" in page
    assert (tmp_path / "appendix-b-digits" / "index.html").exists()
    parts = {part: part.stat().st_mtime_ns for part in tmp_path.rglob("part-*.parquet")}
    again = command(tmp_path, "figure-4", *small)  # of the same runs
    assert again.returncode == 0, again.stderr
    assert {part: part.stat().st_mtime_ns for part in tmp_path.rglob("part-*.parquet")} == parts
    assert "Figure 3" in (tmp_path / "index.html").read_text()


@pytest.mark.slow
def test_digits_after_the_search_are_read_by_the_referee_as_the_referee_reads_them(tmp_path: Path) -> None:
    done = command(tmp_path, "figure-2", "--quick", "--set", "samples=6", "--set", "search.steps=8", "--set", "audited=4")
    assert done.returncode == 0, done.stderr
    rows = list(Run.open(tmp_path / "examples-digits" / "examples").each(["condition_name", "picture_end"]))
    levels = [np.asarray(Image.open(io.BytesIO(row["picture_end"]["bytes"]))) for row in rows]
    read_as = load_classifier("bundled:mnist-referee")(torch.from_numpy(np.stack(levels))[:, None] / 255).argmax(1)
    expected = np.mean([str(digit) == row["condition_name"] for digit, row in zip(read_as.tolist(), rows, strict=True)])
    found = [row for row in read(tmp_path / "figure-2-claims.csv") if row["measured"] == "read as the requested class, after"]
    assert [float(row["value"]) for row in found] == pytest.approx([expected])
    assert width(tmp_path / "figure-2-digits.png") > 1000


@needs_imagenet
@pytest.mark.slow
def test_figure_1_is_made_with_real_networks_that_a_file_names(tmp_path: Path) -> None:
    weights = IMAGENET / "imagenet" / "weights"  # type: ignore[operator]
    pictures = IMAGENET / "imagenet" / "pictures"  # type: ignore[operator]
    world = Path(__file__).parents[1] / "benchmarks" / "imagenet_world.py"
    parts = {
        "first": f"torchvision:squeezenet1_0,weights={weights}/squeezenet1_0_deepcompressed.safetensors",
        "second": f"torchvision:mobilenet_v2,weights={weights}/mobilenet_v2_tf2_fp16.safetensors,mean=0.5,std=0.5",
        "referee": f"torchvision:squeezenet1_1,weights={weights}/squeezenet1_1_caffe_fp16.safetensors",
        "generator": f"autoencoder:python:{world}:taef2,pictures=folder:{pictures},count=4,size=96",
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"pictures": parts}))
    small = ["--set", "samples=2", "--set", "search.steps=3", "--set", "audited=2", "--batch-size", "2"]
    done = command(tmp_path / "out", "figure-1", "--quick", "--models", str(tmp_path / "mine.yaml"), *small)
    assert done.returncode == 0, done.stderr
    assert width(tmp_path / "out" / "figure-1-pictures.png") > 1000
    rows: list[Row] = read(tmp_path / "out" / "figure-1-claims.csv")
    assert {row["verdict"] for row in rows if row["world"] == "pictures"} <= {
        "holds",
        "undecided",
        "does not hold",
        "seen",
        "not seen",
    }
    assert {row["rests_on"] for row in rows if row["world"] == "paper"} == {"left out of the quick set"}


def test_the_command_answers_what_it_does_not_know(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gevaldi.cli.main import app

    def answer(*words: str) -> str:
        found = CliRunner().invoke(app, ["reproduce", *words, "--out", str(tmp_path)])
        return str(found.exception or found.stdout)

    assert "figure-3" in answer()  # without a name, the list
    assert "figure-1" in answer("figure-11")
    assert "digits" in answer("figure-2", "--world", "digts")
    assert "WORLD.PART=SOURCE:NAME" in answer("figure-2", "--model", "first=x")
    assert "There is no world" in answer("figure-2", "--model", "moon.first=x")
    assert "'first'" in answer("figure-2", "--model", "digits.frst=x", "--quick")


CLAIMS = "figure,title,claim,world,verdict,measured,value,low,high,rests_on\n"


@pytest.mark.parametrize(
    "rows",
    [
        "javascript:alert(1)//,t,c,w,holds,,,,,\n",
        "../figure-2,t,c,w,holds,,,,,\n",
        "figure-2\n" + "x" * 200_000,
    ],
)
def test_a_table_of_claims_that_names_another_page_than_its_own_is_refused(tmp_path: Path, rows: str) -> None:
    (tmp_path / "figure-2-claims.csv").write_text(CLAIMS + rows)
    with pytest.raises(RunFolderError, match=r"figure-2-claims.csv .*Delete it and reproduce its figure again"):
        write_index(tmp_path)


def test_a_table_of_claims_with_rows_that_are_too_short_is_read(tmp_path: Path) -> None:
    (tmp_path / "figure-2-claims.csv").write_text(CLAIMS + "figure-2,Title,c,w,holds\n")
    assert "./figure-2.html" in write_index(tmp_path).read_text(encoding="utf-8")
