"""Runs as a whole: rows, folders, interruptions, bad input."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import gevaldi
from conftest import small_classifier, small_generator, written_again
from gevaldi.classifiers import load_classifier
from gevaldi.compute import Compute
from gevaldi.confusions import confusions
from gevaldi.divergences import registry as divergences
from gevaldi.divergences import traits
from gevaldi.errors import ContractError, GevaldiError, RunFolderError, SpecError, UnknownName
from gevaldi.measures.summary import summaries
from gevaldi.models import labels_of
from gevaldi.objective import Evaluation
from gevaldi.pictures import sources as pictures
from gevaldi.pictures._levels import in_levels
from gevaldi.runs.encoding import encode_small
from gevaldi.runs.start import chosen_conditions, sample_seed, start_at, starts
from gevaldi.runs.store import writer
from gevaldi.runs.store.part import serialised
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import FORMAT, schema
from gevaldi.runs.verification import verify
from gevaldi.runs.worker import search as worker
from gevaldi.search import registry
from gevaldi.search.loop import ActiveBatch, NewSamples
from gevaldi.spec import Spec, read_spec, spec_from, write_spec
from gevaldi.statistics.intervals import mean
from gevaldi.taxonomy import distances, read_taxonomy, taxonomy_from_confusions, write_taxonomy

SEARCH: dict[str, Any] = {"steps": 12, "goal": "most divergent"}
QUICK: dict[str, Any] = {**SEARCH, "samples": 9, "batch_size": 4, "audited": 20, "device": "cpu"}
NUMBERS = ["index", "seed", "condition", "steps", "divergence_end", "log_prior_end", "typicality_end", "delta_z"]


def compared(out: Path, **changes: Any) -> gevaldi.Comparison:
    return gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=out, **(QUICK | changes))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compared(tmp_path_factory.mktemp("finished")).run.folder


@pytest.fixture
def finished(original: Path, tmp_path: Path) -> Path:
    """A finished run, to read and to spoil."""
    return Path(shutil.copytree(original, tmp_path, dirs_exist_ok=True))


def test_a_row_tells_the_truth_about_its_sample(finished: Path) -> None:
    rows = gevaldi.Comparison.open(finished).rows()
    pair = {"forward": (small_classifier(0), small_classifier(1)), "reverse": (small_classifier(1), small_classifier(0))}
    assert len(rows) == 18
    for row in rows.to_dict("records"):
        z, condition = torch.tensor(row["z_end"])[None], torch.tensor([row["condition"]])
        pictures = small_generator()(z, condition)
        log_p, log_q = (classifier(pictures) for classifier in pair[row["order"]])
        assert torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="sum").item() == pytest.approx(
            row["divergence_end"], rel=1e-3
        )
        start = torch.tensor(row["z_start"])
        assert ((z[0] - start).norm() / z.norm()).item() == pytest.approx(row["delta_z"], rel=1e-4)
        assert torch.distributions.Normal(0, 1).log_prob(z).sum().item() == pytest.approx(row["log_prior_end"], rel=1e-4)
        assert len(row["path_divergence"]) == row["steps"] + 1 == len(row["path_first"])
        assert row["path_divergence"][row["step_end"]] == pytest.approx(row["divergence_end"]) == max(row["path_divergence"])
        first = small_classifier(0)(pictures)[0].exp()
        assert row["first_end"][0]["label"] == first.argmax().item() == row["path_first"][row["step_end"]][0]
        assert row["first_end"][0]["probability"] == pytest.approx(first.max().item(), abs=1e-4)
        shown = np.asarray(Image.open(io.BytesIO(row["picture_end"]["bytes"]))) / 255
        assert np.abs(shown - pictures[0, 0].detach().numpy()).max() <= 0.5 / 255 + 1e-6
    assert (rows["divergence_end"] > rows["divergence_start"]).mean() > 0.9


ZOO = {"all": {"pets": ["0", "1", "2"], "wild": {"cats": ["3", "4"], "5": None}}}


def test_the_set_distances_of_a_row_are_equation_4_of_its_top_classes_at_every_step(tmp_path: Path) -> None:
    (tmp_path / "zoo.json").write_text(json.dumps(ZOO))
    pair = small_classifier(0, classes=6), small_classifier(1, classes=6), small_generator()
    settings: dict[str, Any] = QUICK | {"taxonomy": str(tmp_path / "zoo.json"), "set_sizes": [4, 1], "convention": "edges"}
    rows = gevaldi.compare(*pair, out=tmp_path / "run", **settings).rows()
    half = distances(read_taxonomy(ZOO, [str(i) for i in range(6)]), "edges")
    assert not [column for column in rows if "distance_3" in column or "distance_5" in column]
    for row in rows.to_dict("records"):
        for n in (1, 4):
            path = [
                np.mean([[half[a, b] for b in second[:n]] for a in first[:n]])
                for first, second in zip(row["path_first"], row["path_second"], strict=True)
            ]
            assert row[f"path_set_distance_{n}"] == pytest.approx(path, rel=1e-6)
            assert row[f"set_distance_{n}_start"] == pytest.approx(path[0], rel=1e-6)
            assert row[f"set_distance_{n}_end"] == pytest.approx(path[row["step_end"]], rel=1e-6)
        for side in ("first", "second"):
            assert row[f"shift_{side}"] == half[row[f"{side}_start"][0]["label"], row[f"{side}_end"][0]["label"]]
    assert (rows["set_distance_1_end"] > rows["set_distance_1_start"]).any()


def test_a_row_keeps_the_probability_of_the_class_asked_for(finished: Path) -> None:
    for row in gevaldi.Comparison.open(finished).rows().to_dict("records"):
        for stage in ("start", "end"):
            listed = {said["label"]: said["probability"] for said in row[f"first_{stage}"]}
            assert row[f"target_first_{stage}"] == pytest.approx(listed[row["condition"]], abs=1e-6)
            right = [row[f"{side}_{stage}"][0]["label"] == row["condition"] for side in ("first", "second")]
            assert row[f"right_{stage}"] == ["neither", "second", "first", "both"][2 * right[0] + right[1]]
        assert row["both_more_confident"] == (
            row["right_end"] == "both" and all(row[f"target_{w}_end"] > row[f"target_{w}_start"] for w in ("first", "second"))
        )


def test_a_sample_whose_prediction_is_not_a_number_has_no_set_distance(tmp_path: Path) -> None:
    (tmp_path / "zoo.json").write_text(json.dumps({"all": {"pets": ["0", "1"], "wild": ["2"]}}))
    broken = gevaldi.classifier(Sometimes("nan"), labels=3).eval()
    settings: dict[str, Any] = QUICK | {"taxonomy": str(tmp_path / "zoo.json")}
    rows = gevaldi.compare(small_classifier(0), broken, small_generator(), out=tmp_path / "run", **settings).rows()
    failed = rows["status"] == "failed"
    assert 0 < failed.sum() < len(rows)
    assert rows.loc[failed, "set_distance_1_end"].isna().all()
    assert rows.loc[~failed, "set_distance_1_end"].notna().all()


def test_as_many_pictures_are_audited_as_asked_for_and_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, int]] = []
    monkeypatch.setattr("gevaldi.progress.Bar.audited", lambda self, done, total: heard.append((done, total)))
    found = compared(tmp_path, audited=70).run.record["audit"]["generated"]
    assert found["pictures"] == 70
    assert heard == [(50, 70), (70, 70)]


class Faint(nn.Module):
    """Pictures of one colour, a hair around 0.301, which 8 bits round to 77 of 255."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (0.301 + 1e-4 * z[:, :1].tanh())[:, :, None, None].expand(-1, 1, 8, 8)


class Above(nn.Module):
    """Two classes, told by whether a picture is lighter than 0.301."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = self.sign * 3e4 * (x.mean((1, 2, 3)) - 0.301)
        return torch.stack([score, torch.zeros_like(score)], 1)


def test_a_difference_finer_than_the_8_bits_of_a_stored_picture_does_not_hold(tmp_path: Path) -> None:
    pair = [gevaldi.classifier(Above(sign).eval(), labels=2).eval() for sign in (1.0, -1.0)]
    generator = gevaldi.generator(Faint().eval(), latent=2).eval()
    done = gevaldi.compare(*pair, generator, out=tmp_path, samples=12, steps=4, batch_size=12, device="cpu", precision="float64")
    rows = done.rows()
    light = [row["first_end"][0]["label"] == 0 for row in rows.to_dict("records")]
    assert 0 < sum(light) < len(light)
    assert rows["survives_storage"].tolist() == light  # stored, all of them are lighter than 0.301
    assert done.summary()[0].survives_storage.value == np.mean(light[::2])


def test_a_row_keeps_the_pictures_of_its_path_at_steps_that_double(tmp_path: Path) -> None:
    long = {row["index"]: row for row in compared(tmp_path / "long", steps=20).rows().to_dict("records")}
    for row in long.values():
        steps = list(row["path_picture_steps"])
        assert steps == [0, *(step for step in (1, 2, 4, 8, 16) if step < row["step_end"]), row["step_end"]]
        assert [row["path_pictures"][i]["bytes"] for i in (0, -1)] == [row["picture_start"]["bytes"], row["picture_end"]["bytes"]]
    short = [row for row in compared(tmp_path / "short", steps=4).rows().to_dict("records") if row["step_end"] == 4]
    assert len(short) > 10
    for row in short:
        along = dict(zip(long[row["index"]]["path_picture_steps"], long[row["index"]]["path_pictures"], strict=True))
        assert along[4]["bytes"] == row["picture_end"]["bytes"]


def test_large_pictures_of_a_path_lose_little_and_small_ones_nothing() -> None:
    ramp = torch.linspace(0, 1, 96).expand(3, 96, 96) * torch.tensor([1.0, 0.5, 0.25])[:, None, None]
    for picture in (ramp[:, :64, :64], ramp):
        levels = in_levels(picture)
        shown = np.asarray(Image.open(io.BytesIO(encode_small(levels))).convert("RGB")).astype(int)
        off = np.abs(shown - np.moveaxis(levels.numpy(), 0, -1)).mean()
        assert off == 0 if picture.shape[1] <= 64 else off < 3


def test_rows_of_a_version_that_kept_fewer_columns_are_read_with_none_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PART", 1)
    run = compared(tmp_path / "run").run
    part = next((run.folder / "samples").glob("*.parquet"))
    lacking = ("path_pictures", "path_picture_steps", "picture_original")
    written_again(part, pq.read_table(part).drop_columns(list(lacking)))
    kept = [row["path_picture_steps"] for row in run.each(["index", "path_picture_steps"])]
    assert 0 < kept.count(None) < len(kept)
    assert len(run.rows()) == len(run.rows(["index", "path_pictures"])) == run.total


@pytest.mark.slow
def test_searching_with_the_wasserstein_divergence_ends_with_top_classes_farther_apart_than_searching_with_kl(
    tmp_path: Path,
) -> None:
    referee = load_classifier("bundled:mnist-referee")
    found = confusions(referee, pictures.load("bundled:mnist-digits"))
    write_taxonomy(taxonomy_from_confusions(found.matrix, [label.name for label in referee.labels]), tmp_path / "digits.json")
    names = ("bundled:mnist-strided-1k", "bundled:mnist-pooled-1k", "bundled:mnist-vae")
    settings: dict[str, Any] = {"samples": 32, "orders": "forward", "goal": "most divergent", "device": "cpu", "audited": 20}
    settings["taxonomy"] = str(tmp_path / "digits.json")
    rows = {d: gevaldi.compare(*names, divergence=d, out=tmp_path / d, **settings).rows() for d in ("kl", "wasserstein")}
    gain = mean((rows["wasserstein"]["set_distance_1_end"] - rows["kl"]["set_distance_1_end"]).tolist())
    assert gain.low > 0


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_does_not_change_the_rows(original: Path, tmp_path: Path, batch_size: int) -> None:
    one, other = Run.open(original).rows(), compared(tmp_path, batch_size=batch_size).rows()
    for column in NUMBERS:
        assert other[column].to_numpy() == pytest.approx(one[column].to_numpy(), rel=1e-3, abs=1e-4), column


def test_reverse_order_is_forward_with_the_classifiers_exchanged(tmp_path: Path) -> None:
    reverse = compared(tmp_path / "a", orders="reverse").rows()
    swapped = gevaldi.compare(
        small_classifier(1), small_classifier(0), small_generator(), out=tmp_path / "b", orders="forward", **QUICK
    ).rows()
    assert reverse["divergence_end"].to_numpy() == pytest.approx(swapped["divergence_end"].to_numpy(), rel=1e-4)
    assert [p[0]["label"] for p in reverse["first_end"]] == [p[0]["label"] for p in swapped["second_end"]]


def test_a_run_that_was_cut_off_resumes_to_the_rows_of_an_unbroken_one(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = Run.open(original).rows()
    monkeypatch.setattr(writer, "PART", 1)

    whole_search = worker.search_all

    def cut(*args: Any) -> Iterator[Any]:
        for number, harvest in enumerate(whole_search(*args)):
            if number == 2:
                raise KeyboardInterrupt
            yield harvest

    with monkeypatch.context() as patch:
        patch.setattr("gevaldi.runs.worker.search.search_all", cut)
        with pytest.raises(KeyboardInterrupt):
            compared(tmp_path / "cut")
    before = {path: path.read_bytes() for path in (tmp_path / "cut" / "samples").glob("part-*")}
    assert len(before) == 2
    assert 0 < len(Run.open(tmp_path / "cut").done()) < 18
    resumed = compared(tmp_path / "cut").rows()
    assert all(path.read_bytes() == content for path, content in before.items())
    pd.testing.assert_frame_equal(resumed[NUMBERS], unbroken[NUMBERS])


def test_a_finished_run_is_not_computed_again(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.worker.search.search_all", lambda *args: pytest.fail("computed again"))
    assert len(compared(finished).rows()) == 18


def test_an_unfinished_part_is_not_taken_for_a_finished_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PART", 1)
    whole = compared(tmp_path).rows()
    part = sorted((tmp_path / "samples").glob("part-*"))[1]
    part.rename(part.with_name(f".{part.name}.123.partial"))
    assert len(Run.open(tmp_path).done()) < 18
    pd.testing.assert_frame_equal(compared(tmp_path).rows()[NUMBERS], whole[NUMBERS])


class Sometimes(nn.Module):
    """Goes wrong on dark pictures only: gives NaN, or raises."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.net, self.how = small_classifier(1).module, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        dark = x.flatten(1).mean(1) < 0.47
        if self.how == "raise" and dark.any():
            raise RuntimeError("too dark for me")
        return torch.where(dark[:, None], torch.nan, self.net(x))


def test_samples_that_turn_nan_are_rows_with_their_error_and_the_others_go_on(tmp_path: Path) -> None:
    second = gevaldi.classifier(Sometimes("nan"), labels=3).eval()
    rows = gevaldi.compare(small_classifier(0), second, small_generator(), out=tmp_path, **(QUICK | {"samples": 12})).rows()
    failed = rows["status"] == "failed"
    assert len(rows) == 24
    assert 0 < failed.sum() < 24
    assert rows[failed]["error"].str.contains("the second classifier returned a prediction that is not a number").all()
    assert rows[~failed]["divergence_end"].notna().all()
    whole = compared(tmp_path / "whole", samples=12).rows()
    alike = ~failed & (rows["steps"] == whole["steps"])
    assert rows[alike]["divergence_end"].to_numpy() == pytest.approx(whole[alike]["divergence_end"].to_numpy(), rel=1e-3)
    page = gevaldi.Comparison.open(tmp_path).report().read_text()
    assert "samples failed" in page


def test_a_classifier_that_raises_on_some_samples_fails_only_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.session.check_contract", lambda *models: [])  # which it may or may not pass, by chance
    second = gevaldi.classifier(Sometimes("raise"), labels=3).eval()
    rows = gevaldi.compare(small_classifier(0), second, small_generator(), out=tmp_path, **(QUICK | {"samples": 12})).rows()
    failed = rows["status"] == "failed"
    assert 0 < failed.sum() < 24
    assert set(rows[failed]["error"]) == {"RuntimeError: too dark for me"}
    record = Run.open(tmp_path).record
    assert record["audit"] is None
    assert "RuntimeError: too dark for me" in record["warnings"][0]
    assert "audit of the generator failed" in gevaldi.Comparison.open(tmp_path).report().read_text()
    assert (rows[~failed]["divergence_end"] > 0).all()


def test_pandas_duckdb_and_datasets_open_the_rows_and_decode_the_pictures(finished: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    pattern = str(finished / "samples" / "*.parquet")
    frame = pd.concat(pd.read_parquet(part) for part in sorted((finished / "samples").iterdir()))
    assert len(frame) == 18
    counted = duckdb.sql(
        f"select count(*), max(divergence_end), octet_length(any_value(picture_end.bytes)) from '{pattern}'"
    ).fetchall()
    assert counted[0][:2] == (18, pytest.approx(frame["divergence_end"].max()))
    opened = load_dataset("parquet", data_files=pattern, split="train", cache_dir=str(tmp_path / "cache"))
    assert opened[0]["picture_end"].size == (8, 8)
    assert len(opened) == 18


def test_every_column_says_what_it_holds() -> None:
    assert all(field.metadata[b"description"] for field in schema())


@settings(deadline=None)
@given(samples=st.integers(1, 60), orders=st.sampled_from(["both", "forward", "reverse"]), done=st.sets(st.integers(0, 130)))
def test_the_starts_of_a_run_are_all_that_are_not_done_and_each_is_its_number(samples: int, orders: str, done: set[int]) -> None:
    spec = Spec(first="a", second="b", generator="g", samples=samples, orders=orders)
    found = list(starts(spec, [4, 2], done))
    assert [start.index for start in found] == [i for i in range(samples * len(spec.searches)) if i not in done]
    assert all(start == start_at(start.index, spec, [4, 2]) for start in found)
    draws = {(start.seed, start.condition) for start in starts(spec, [4, 2])}
    assert len(draws) == samples
    assert {(seed, condition, order) for seed, condition in draws for order in spec.searches} == {
        (start.seed, start.condition, start.order) for start in starts(spec, [4, 2])
    }


def test_seeds_of_samples_and_runs_differ() -> None:
    assert len({sample_seed(run, sample) for run in range(20) for sample in range(500)}) == 10_000


def test_a_spec_survives_being_written_and_read(tmp_path: Path) -> None:
    spec = spec_from({"first": "a", "second": "b", "generator": "g", "conditions": ["3", 8], "search": {"typical_mass": None}})
    (tmp_path / "spec.yaml").write_text(write_spec(spec))
    assert spec_from(read_spec(tmp_path / "spec.yaml")) == spec
    (tmp_path / "spec.toml").write_text(
        'first = "a"\nsecond = "b"\ngenerator = "g"\nconditions = ["3", 8]\n[search]\nsteps = 200\n'
    )
    assert spec_from(read_spec(tmp_path / "spec.toml")) == spec_from({**spec.model_dump(), "search": {}})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sample": 3}, "'samples'"),
        ({"samples": 0}, "samples: Input should be greater"),
        ({"search": {"step": 3}}, "'steps'"),
        ({"prior_weight": -1}, "prior_weight"),
    ],
)
def test_a_spec_with_a_wrong_setting_is_answered_with_its_name_and_the_nearest(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        spec_from({"first": "a", "second": "b", "generator": "g", **settings})


def test_conditions_are_found_by_name_or_index_and_unknown_ones_answered() -> None:
    spec = Spec(first="a", second="b", generator="g", conditions=("dog", 0))
    assert chosen_conditions(spec, labels_of(["cat", "dog"])) == [1, 0]
    with pytest.raises(UnknownName, match="dog"):
        chosen_conditions(spec, labels_of(["cat", "dogs"]))
    with pytest.raises(SpecError, match="takes no condition"):
        chosen_conditions(spec, ())
    with pytest.raises(SpecError, match="name of 2 classes"):
        chosen_conditions(Spec(first="a", second="b", generator="g", conditions=("crane",)), labels_of(["crane", "crane"]))


def test_a_run_of_a_version_without_goals_opens_with_its_fingerprint_and_its_rows(finished: Path, tmp_path: Path) -> None:
    before = Run.open(finished)
    spec = before.spec.model_copy(update={"search": before.spec.search.model_copy(update={"goal": "most divergent"})})
    content = {key: value for key, value in before.record.items() if key not in ("format", "fingerprint", "spec")}
    run = Run.create(tmp_path / "earlier", spec, content)
    record = json.loads((run.folder / "run.json").read_text())
    del record["spec"]["search"]["goal"], record["spec"]["search"]["margin"]
    (run.folder / "run.json").write_text(json.dumps(record))
    earlier = Run.open(run.folder)
    assert earlier.spec == spec
    name, part = serialised(next(before.tables([*NUMBERS, "status", "order"])), earlier.origin)
    (run.folder / "samples" / name).write_bytes(part)
    rows = list(earlier.each())
    assert rows
    assert {row["probable_differs"] for row in rows} == {None}
    assert [s.typicality_probable for s in summaries(rows)] == [None, None]


def test_a_folder_with_a_run_of_another_spec_is_refused_and_left_alone(finished: Path) -> None:
    before = (finished / "run.json").read_bytes()
    with pytest.raises(RunFolderError, match="seed: 0 there, 5 here"):
        compared(finished, seed=5)
    assert (finished / "run.json").read_bytes() == before


def test_a_folder_with_a_run_of_other_weights_is_refused(finished: Path) -> None:
    with pytest.raises(RunFolderError, match=r"another second .*its weights have changed since"):
        gevaldi.compare(small_classifier(0), small_classifier(5), small_generator(), out=finished, **QUICK)


def test_a_folder_with_a_run_of_another_prior_or_output_is_refused(finished: Path) -> None:
    from gevaldi.priors.gaussian import Gaussian

    elsewhere = gevaldi.generator(small_generator().module, latent=Gaussian(torch.full((5,), 3.0)), conditions=3).eval()
    with pytest.raises(RunFolderError, match=r"another generator .*prior_sha256"):
        gevaldi.compare(small_classifier(0), small_classifier(1), elsewhere, out=finished, **QUICK)


def test_a_prior_has_the_same_fingerprint_whenever_it_is_made_and_whatever_it_has_done() -> None:
    from gevaldi.fingerprints import hash_of_prior
    from gevaldi.priors.gaussian import Gaussian
    from gevaldi.priors.truncated_normal import TruncatedNormal

    used = TruncatedNormal(6, scale=0.5)
    used.typicality(used.sample([0]))
    assert hash_of_prior(used) == hash_of_prior(TruncatedNormal(6, scale=0.5))
    made = [Gaussian(torch.zeros(3)), Gaussian(torch.ones(3)), Gaussian(torch.zeros(3), scale=2.0), used, TruncatedNormal(6)]
    assert len({hash_of_prior(prior) for prior in made}) == len(made)


def test_a_missing_spec_file_is_written_again(finished: Path) -> None:
    before = (finished / "spec.yaml").read_text()
    (finished / "spec.yaml").unlink()
    compared(finished)
    assert (finished / "spec.yaml").read_text() == before


def test_a_network_that_fails_while_the_batch_size_is_chosen_does_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gevaldi.runs.session.check_contract", lambda *models: [])  # which it may or may not pass, by chance
    second = gevaldi.classifier(Sometimes("raise"), labels=3).eval()
    settings = {key: value for key, value in QUICK.items() if key != "batch_size"}
    rows = gevaldi.compare(small_classifier(0), second, small_generator(), out=tmp_path, **(settings | {"samples": 12})).rows()
    assert 0 < (rows["status"] == "failed").sum() < len(rows) == 24


class Unbounded(nn.Module):
    """Pictures that leave [0, 1] far from the centre of the prior."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (0.5 + 0.2 * z.repeat(1, 16)).view(-1, 1, 8, 8)


def test_a_picture_that_leaves_the_range_is_a_row_with_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.runs.session.check_contract", lambda *models: [])
    generator = gevaldi.generator(Unbounded(), latent=4).eval()
    rows = gevaldi.compare(small_classifier(0), small_classifier(1), generator, out=tmp_path, **(QUICK | {"samples": 20})).rows()
    failed = rows[rows["status"] == "failed"]
    assert 0 < len(failed) < len(rows)
    assert failed["error"].str.contains("picture ranges from").all()


def test_sure_classifiers_that_give_probabilities_have_finite_gradients(tmp_path: Path) -> None:
    def sure(seed: int) -> gevaldi.Classifier:
        net = small_classifier(seed).module
        with torch.no_grad():
            net[-1].weight.mul_(60)
        return gevaldi.classifier(nn.Sequential(net, nn.Softmax(-1)).eval(), labels=3, output="probabilities")

    rows = gevaldi.compare(sure(0), sure(1), small_generator(), out=tmp_path, **QUICK).rows()
    assert (rows["status"] != "failed").all()


def test_models_of_one_kind_are_told_apart_and_a_call_says_how_to_make_it_again(tmp_path: Path) -> None:
    run = compared(tmp_path / "a", samples=3, divergence="jeffreys").run
    assert (run.spec.first, run.spec.second) == ("object:Sequential (first)", "object:Sequential (second)")
    settings = "samples=3, orders='forward', divergence='jeffreys', audited=20, steps=12, goal='most divergent'"
    assert run.record["command"] == f"gevaldi.compare(Sequential, Sequential, SmallDecoder, {settings})"
    assert run.spec.searches == ("forward",)  # the reverse would be the same search
    page = gevaldi.Comparison.open(tmp_path / "a").report().read_text()
    assert "After the search for the largest jeffreys (forward), the two name different classes on" in page
    named = gevaldi.classifier(small_classifier(1).module, labels=3, name="new one")
    assert (
        gevaldi.compare(small_classifier(0), named, small_generator(), out=tmp_path / "b", **QUICK).run.spec.second
        == "object:new one"
    )


def test_classes_are_counted_as_read_only_where_they_are_known(tmp_path: Path) -> None:
    for folder, count in (("real/1", 10), ("real", 10), ("real/batch", 5)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(tmp_path / folder / f"{i}.png")
    found = compared(tmp_path / "run", real=f"folder:{tmp_path / 'real'}").run.record["audit"]["real"]
    assert (found["pictures"], found["known_first"], found["known_second"]) == (25, 10, 10)
    assert 0 <= found["read_first"] <= 10


def test_a_run_of_a_newer_version_is_refused_with_what_to_do(finished: Path) -> None:
    record = json.loads((finished / "run.json").read_text())
    (finished / "run.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(RunFolderError, match=r"format 99.*pip install --upgrade"):
        Run.open(finished)
    (finished / "run.json").write_text(json.dumps(record | {"format": 1}))
    with pytest.raises(RunFolderError, match=r"format 1.*Repeat the run: gevaldi compare --spec"):
        Run.open(finished)
    (finished / "run.json").write_text(json.dumps({"format": FORMAT}))
    with pytest.raises(RunFolderError, match=r"not the record of a run: fingerprint is missing; spec is missing.* and \d+ more"):
        Run.open(finished)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError, match="holds files but no run"):
        compared(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_a_full_disk_is_said_and_loses_nothing(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Run.open(original).rows()
    monkeypatch.setattr(writer, "PART", 1)
    synced, broken = 0, __import__("os").fsync

    def full(handle: int) -> None:
        nonlocal synced
        synced += 1
        if synced > 8:
            raise OSError(28, "No space left on device")
        broken(handle)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunFolderError, match=r"No space left on device.*Finished rows are safe"):
            compared(tmp_path / "full")
    assert not list((tmp_path / "full" / "samples").glob(".*"))
    pd.testing.assert_frame_equal(compared(tmp_path / "full").rows()[NUMBERS], whole[NUMBERS])


def test_a_damaged_part_is_named(finished: Path) -> None:
    part = next((finished / "samples").glob("part-*"))
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(RunFolderError, match=part.name):
        Run.open(finished).rows()


def test_an_object_cannot_be_resumed_by_name_and_the_error_says_how_to_go_on(finished: Path) -> None:
    from gevaldi.comparison import execute

    next((finished / "samples").glob("part-*")).unlink()
    spec = Run.open(finished).spec
    with pytest.raises(SpecError, match=r"gevaldi.compare\(..., out=FOLDER\)"):
        execute(spec, finished, (spec.first, spec.second, spec.generator), Compute("cpu", progress=False), "")


def test_a_broken_contract_leaves_no_run_behind(tmp_path: Path) -> None:
    with pytest.raises(ContractError):
        gevaldi.compare(small_classifier(0), small_classifier(1, classes=4), small_generator(), out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_a_bare_module_is_answered_with_the_line_that_wraps_it() -> None:
    with pytest.raises(SpecError, match=r"A Linear was given.*gevaldi.classifier\(module, labels=10\)"):
        gevaldi.compare(small_classifier(0), nn.Linear(2, 2), small_generator())  # type: ignore[arg-type]
    with pytest.raises(SpecError, match=r"A Linear was given.*gevaldi.generator\(module, latent=20\)"):
        gevaldi.compare(small_classifier(0), small_classifier(1), nn.Linear(2, 2))  # type: ignore[arg-type]


def test_an_unknown_device_and_setting_are_answered() -> None:
    with pytest.raises(GevaldiError, match="cpu, cuda"):
        compared(Path("never"), device="gpu")
    with pytest.raises(SpecError, match="'samples'"):
        compared(Path("never"), smples=3)


def test_best_pictures_come_with_the_largest_divergence_first(finished: Path) -> None:
    comparison = gevaldi.Comparison.open(finished)
    rows = comparison.rows().nlargest(3, "divergence_end")
    expected = [np.asarray(Image.open(io.BytesIO(p["bytes"]))) for p in rows["picture_end"]]
    assert all(np.array_equal(np.asarray(found), right) for found, right in zip(comparison.best(3), expected, strict=True))


def test_a_sampler_ends_at_its_last_step(tmp_path: Path) -> None:
    rows = compared(tmp_path, algorithm="langevin,temperature=1", prior_weight=1.0).rows()
    assert (rows["step_end"] == rows["steps"]).all()
    last = [path[-1] for path in rows["path_divergence"]]
    assert rows["divergence_end"].to_numpy() == pytest.approx(np.array(last))
    assert (rows["divergence_end"] < [max(path) for path in rows["path_divergence"]]).any()


def test_the_best_step_is_the_first_of_equally_good_ones() -> None:
    new = NewSamples.forward(torch.zeros(2, 1), torch.zeros(2, dtype=torch.long), [0, 1])
    batch = ActiveBatch.of(new, registry.build("langevin"))
    for step, values in enumerate([(1.0, 5.0), (3.0, 4.0), (3.0, 5.0)], start=1):
        z, value = torch.full((2, 1), float(step)), torch.tensor(values)
        batch = batch.record_evaluation(Evaluation(z, z[:, :, None, None], z, z, value, value, z))
    assert batch.best_value.tolist() == [3.0, 5.0]
    assert batch.best.flatten().tolist() == [2.0, 1.0]


def test_a_generator_without_conditions_works(tmp_path: Path) -> None:
    rows = gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(0), out=tmp_path, **QUICK).rows()
    assert rows["condition"].isna().all()
    assert rows["condition_name"].isna().all()
    assert "requested <b>" not in gevaldi.Comparison.open(tmp_path).report().read_text()


@pytest.mark.parametrize("name", divergences)
def test_a_symmetric_divergence_is_searched_in_one_order_unless_both_are_set(name: str) -> None:
    settings = {"first": "a", "second": "b", "generator": "c", "divergence": name}
    symmetric = traits(divergences.get(name)).symmetric
    assert spec_from(settings).searches == (("forward",) if symmetric else ("forward", "reverse"))
    assert spec_from(settings | {"orders": "both"}).searches == ("forward", "reverse")


def test_both_orders_of_a_symmetric_divergence_are_searched_with_a_warning(tmp_path: Path) -> None:
    done = compared(tmp_path, samples=3, divergence="jeffreys", orders="both")
    assert "jeffreys is symmetric" in done.run.record["warnings"][0]
    rows = done.rows().sort_values(["seed", "order"])
    assert (rows["divergence_end"].to_numpy()[::2] == rows["divergence_end"].to_numpy()[1::2]).all()
    forward, reverse = done.summary()
    assert forward.distinct
    assert reverse.distinct == 0  # the same samples once more


def test_a_run_grows_to_the_rows_of_one_that_had_as_many_from_the_start(tmp_path: Path) -> None:
    small = compared(tmp_path / "run", samples=3).rows()
    before = {path.name: path.read_bytes() for path in (tmp_path / "run" / "samples").iterdir()}
    grown = compared(tmp_path / "run", samples=5)
    whole = compared(tmp_path / "whole", samples=5)
    pd.testing.assert_frame_equal(grown.rows(), whole.rows())
    pd.testing.assert_frame_equal(grown.rows()[: len(small)], small)
    after = {path.name: path.read_bytes() for path in (tmp_path / "run" / "samples").iterdir()}
    assert before.items() <= after.items(), "what was computed is not computed again"
    assert read_spec(tmp_path / "run" / "spec.yaml")["samples"] == 5
    assert all(finding.holds for finding in verify(Run.open(tmp_path / "run")))
    assert compared(tmp_path / "run", samples=3).run.spec.samples == 5, "and never shrinks"


def test_a_run_that_was_killed_while_it_grew_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared(tmp_path / "run", samples=3)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gevaldi.runs.session._write_beside", killed)  # the record has grown, and nothing else
        with pytest.raises(KeyboardInterrupt):
            compared(tmp_path / "run", samples=5)
    pd.testing.assert_frame_equal(compared(tmp_path / "run", samples=5).rows(), compared(tmp_path / "whole", samples=5).rows())
    assert read_spec(tmp_path / "run" / "spec.yaml")["samples"] == 5
