"""That no damage goes unnoticed: flipped bits, foreign parts, changed records and rows, and what a run says it was made of."""

import hashlib
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import gevaldi
from conftest import called, small_classifier, small_generator, written_again
from gevaldi.errors import RunFolderError
from gevaldi.runs.store.run import Run
from gevaldi.runs.verification import verify

QUICK: dict[str, Any] = {"samples": 4, "steps": 4, "audited": 10, "device": "cpu", "progress": False, "batch_size": 4}
MODELS = """
import torch
from torch import nn
import gevaldi

def net(seed=0):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), labels=3, mean=[0.485], std=[0.225]).eval()

def generator():
    torch.manual_seed(9)
    return gevaldi.generator(nn.Sequential(nn.Linear(5, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=5).eval()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody touches."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=folder, **QUICK)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def printed(*words: str, folder: Path) -> str:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def part_of(run: Path) -> Path:
    return next((run / "samples").glob("part-*"))


def changed(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    change(record)
    (run / "run.json").write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")


def with_column(part: Path, name: str, values: Callable[[list[Any]], list[Any]]) -> pa.Table:
    table = pq.read_table(part)
    place = table.column_names.index(name)
    column = pa.array(values(table[name].to_pylist()), table.schema.field(place).type)
    return table.set_column(place, table.schema.field(place), column)


def test_no_flipped_bit_of_a_part_reads_back_as_another_value(run: Path) -> None:
    expected = Run.open(run).rows()
    part, chance = part_of(run), random.Random(0)
    content = part.read_bytes()
    for _ in range(300):
        place = chance.randrange(len(content))
        part.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        with pytest.raises(RunFolderError, match="cannot be read"):
            Run.open(run).rows()
    part.write_bytes(content)
    pd.testing.assert_frame_equal(Run.open(run).rows(), expected)


def test_the_checksums_of_pages_alone_find_flipped_bits_in_parts_that_are_read_in_pieces(run: Path) -> None:
    part, chance, silent = part_of(run), random.Random(1), 0
    content = part.read_bytes()
    expected = pq.read_table(part)
    for _ in range(200):
        place = chance.randrange(len(content))
        part.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        try:
            with pq.ParquetFile(part, page_checksum_verification=True) as file:
                silent += not file.read().equals(expected)
        except (OSError, ValueError, pa.ArrowException):
            continue
    assert silent <= 10  # of 200: the footer, which names all columns, has no checksum


@pytest.mark.parametrize("command", ["report", "resume", "export --to parquet", "figure divergence", "verify"])
def test_a_part_of_another_run_is_refused_wherever_a_run_is_opened(run: Path, tmp_path: Path, command: str) -> None:
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=tmp_path / "other", seed=1, **QUICK)
    other = part_of(tmp_path / "other")
    part_of(run).unlink()
    shutil.copy(other, run / "samples")
    name, *options = command.split()
    done = called(tmp_path, name, str(run), *options)
    assert done.returncode == 2
    assert "another spec" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["spec"].update(seed=7),
        lambda record: record["spec"].update(prior_weight=0.5),
        lambda record: record.update(fingerprint="0123456789"),
    ],
)
def test_a_record_whose_spec_was_changed_is_refused_also_before_there_are_rows(run: Path, change: Any) -> None:
    changed(run, change)
    part_of(run).unlink()
    with pytest.raises(RunFolderError, match="fingerprint"):
        Run.open(run)


def test_a_number_of_samples_that_was_changed_is_noticed_by_verify_as_a_run_that_grows_may_change_it(run: Path) -> None:
    changed(run, lambda record: record["spec"].update(samples=9))
    assert any(not finding.holds and "spec.yaml" in finding.text for finding in verify(Run.open(run)))


@pytest.mark.parametrize("command", ["report", "verify", "resume"])
def test_a_figure_of_the_record_that_was_changed_is_noticed(run: Path, tmp_path: Path, command: str) -> None:
    changed(run, lambda record: record["audit"]["generated"].update(disagreements=0, read_first=10, known_first=10))
    done = called(tmp_path, command, str(run))
    assert done.returncode == 2
    assert "was written for another run.json" in done.stdout + done.stderr


def test_a_row_that_was_changed_is_noticed_by_the_report_and_with_a_fitting_name_by_verify(run: Path, tmp_path: Path) -> None:
    part = part_of(run)
    table = with_column(part, "divergence_end", lambda values: [999.0] * len(values))
    pq.write_table(table, part)
    assert "its bytes do not match the hash in its name" in called(tmp_path, "report", str(run)).stderr
    written_again(part, table)
    done = called(tmp_path, "verify", str(run))
    assert done.returncode == 2
    assert "sample 0: divergence_end is 999.0" in done.stdout


@pytest.mark.parametrize(
    ("column", "values", "answer"),
    [
        ("index", lambda v: [-1, *v[1:]], "indices"),
        ("index", lambda v: [10**12, *v[1:]], "indices"),
        ("index", lambda v: [v[1], *v[1:]], "indices"),
        ("index", lambda v: [None, *v[1:]], "without an index"),
        ("order", lambda v: ["sideways", *v[1:]], "order"),
        ("status", lambda v: [None, *v[1:]], "status"),
        ("step_end", lambda v: [10_000, *v[1:]], "step_end"),
        ("first_end", lambda v: [[{**v[0][0], "label": -3}], *v[1:]], "label"),
        ("picture_end", lambda v: [{"bytes": None, "path": None}, *v[1:]], "bytes"),
        ("path_delta_z", lambda v: [v[0] + v[0], *v[1:]], "lengths"),
        ("z_end", lambda v: [v[0][:1], *v[1:]], "lengths"),
    ],
)
def test_rows_that_no_search_makes_are_refused_in_a_sentence(run: Path, column: str, values: Any, answer: str) -> None:
    written_again(part_of(run), with_column(part_of(run), column, values))
    with pytest.raises(RunFolderError, match=answer):
        Run.open(run).rows()


def test_a_part_without_rows_or_with_other_columns_is_refused(run: Path) -> None:
    table = pq.read_table(part_of(run))
    for other in (table.slice(0, 0), table.drop_columns(["index"]), table.append_column("extra", pa.array([1] * len(table)))):
        written_again(part_of(run), other)
        with pytest.raises(RunFolderError):
            Run.open(run).rows()


def test_every_entry_of_a_record_that_is_missing_or_of_another_type_is_answered_with_its_name(run: Path) -> None:
    text = (run / "run.json").read_text(encoding="utf-8")
    for key in json.loads(text):
        for broken in ({key: 5.5},) if key in ("about", "evaluation", "pictures") else ({}, {key: 5.5}):  # which older runs lack
            record = {k: v for k, v in json.loads(text).items() if k != key} | broken
            (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
            with pytest.raises(RunFolderError, match=f"{key}|format"):
                Run.open(run)


def test_verify_holds_of_a_run_with_a_hierarchy(tmp_path: Path) -> None:
    words = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "--taxonomy", "mnist-digits")
    assert (
        called(
            tmp_path, "compare", *words, "-n", "4", "--steps", "9", "--set", "audited=10", "--no-report", "--out", "run"
        ).returncode
        == 0
    )
    done = called(tmp_path, "verify", "run")
    assert (done.returncode, done.stdout.count("ok  ")) == (0, 6), done.stdout


def test_verify_says_that_an_untouched_run_holds_and_its_checksum_is_that_of_sha256sum(run: Path, tmp_path: Path) -> None:
    done = called(tmp_path, "verify", str(run))
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout
    assert "8 of 8 rows" in done.stdout
    by_hand = printed("sh", "-c", "(sha256sum run.json; LC_ALL=C ls samples) | sha256sum", folder=run)
    assert done.stdout.strip().splitlines()[-1] == f"checksum {by_hand.split()[0]}"


@pytest.mark.parametrize(
    ("name", "content", "answer"),
    [
        ("spec.yaml", "first: a\nsecond: b\ngenerator: c\n", "differs from the spec"),
        ("inputs.sha256", "x", "differs from the list"),
        ("spec.yaml", "[", "YAML"),
    ],
)
def test_verify_names_the_file_beside_the_record_that_was_changed(
    run: Path, tmp_path: Path, name: str, content: str, answer: str
) -> None:
    (run / name).write_text(content, encoding="utf-8")
    done = called(tmp_path, "verify", str(run))
    assert done.returncode == 2
    assert answer in done.stdout


def made_of_files(folder: Path) -> tuple[str, ...]:
    """A comparison of what lies in files: a command line."""
    (folder / "models.py").write_text(MODELS, encoding="utf-8")
    pictures = folder / "real" / "0"
    pictures.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((8, 8), 40 * i, np.uint8)).save(pictures / f"{i} of 3\\.png")
    models = ("python:models.py:net", "python:models.py:net,seed=1", "-g", "python:models.py:generator")
    return ("compare", *models, "--real", "folder:real", "-n", "3", "--set", "search.steps=2", "--set", "audited=4", "--out", "run")


def test_the_record_has_the_hashes_of_the_files_and_every_number_of_the_preprocessing(tmp_path: Path) -> None:
    assert called(tmp_path, *made_of_files(tmp_path)).returncode == 0
    first = Run.open(tmp_path / "run").record["models"]["first"]
    source = hashlib.sha256((tmp_path / "models.py").read_bytes()).hexdigest()
    assert first["files"] == [{"path": "models.py", "sha256": source}]
    assert (first["settings"]["network"]["mean"], first["settings"]["network"]["std"]) == ([0.485], [0.225])
    checked = subprocess.run(
        ["sha256sum", "--check", "run/inputs.sha256"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == 4


def test_a_network_of_a_weights_file_bears_the_hash_that_sha256sum_prints_and_its_preprocessing_is_readable(tmp_path: Path) -> None:
    from safetensors.torch import save_file
    from torchvision.models import get_model

    save_file(get_model("squeezenet1_1", weights=None).state_dict(), tmp_path / "mine.safetensors")
    network = gevaldi.classifiers.load_classifier(f"torchvision:squeezenet1_1,weights={tmp_path / 'mine.safetensors'},mean=0.5")
    digest = subprocess.run(
        ["sha256sum", tmp_path / "mine.safetensors"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert dict(network.files) == {str(tmp_path / "mine.safetensors"): digest}
    from gevaldi.fingerprints import settings_of

    settings = settings_of(network)["module.preprocessing"]
    assert (settings["mean"], settings["std"]) == ([0.5] * 3, [0.229, 0.224, 0.225])
    assert (settings["resize"], settings["crop"], settings["interpolation"]) == (256, [224, 224], "bilinear")


def test_a_run_whose_source_was_changed_does_not_go_on_and_verify_names_the_inputs_that_changed(tmp_path: Path) -> None:
    assert called(tmp_path, *made_of_files(tmp_path)).returncode == 0
    part_of(tmp_path / "run").unlink()
    (tmp_path / "models.py").write_text(MODELS + "# another thought\n", encoding="utf-8")
    done = called(tmp_path, "resume", "run")
    assert done.returncode == 2
    assert "its source has changed since" in done.stderr
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "real" / "0" / "1 of 3\\.png")
    done = called(tmp_path, "verify", "run")
    assert "inputs that have changed since: models.py, real/0/1 of 3\\.png" in done.stdout
