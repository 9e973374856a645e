"""Shapes are checked by machine in tests, nets are small, and one thread is faster than two."""

import atexit
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import typechecking

if "GEVALDI_TESTS_UNCHECKED" not in os.environ:
    typechecking.install("gevaldi")

import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["GEVALDI_CACHE"] = tempfile.mkdtemp(prefix="gevaldi-cache-")  # and never the user's
atexit.register(shutil.rmtree, os.environ["GEVALDI_CACHE"], ignore_errors=True)
# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
settings.register_profile("quick", max_examples=20)
settings.register_profile("ci", derandomize=True)  # the same examples every time; elsewhere others each time, to find more
if "CI" in os.environ:
    settings.load_profile("ci")
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell, whose children would never hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
if os.name == "posix" and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # as under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import gevaldi  # noqa: E402
from gevaldi.search import probable  # noqa: E402
from small import SmallDecoder as SmallDecoder  # noqa: E402
from small import small_classifier as small_classifier  # noqa: E402
from small import small_generator as small_generator  # noqa: E402

# Of the second search, which most tests do not look at. It takes 60 steps for users, in commands that run in processes of their
# own, and in tests that set it to STEPS_FOR_USERS.
STEPS_FOR_USERS, probable.STEPS = probable.STEPS, 10

FOLDERS = [os.environ.get("GEVALDI_MNIST"), Path(__file__).parents[2] / "shared" / "data" / "mnist"]
MNIST = next((Path(folder) for folder in FOLDERS if folder and Path(folder).is_dir()), None)
needs_mnist = pytest.mark.skipif(MNIST is None, reason="needs MNIST: set GEVALDI_MNIST to the folder of its idx files")

GARMENTS = [
    os.environ.get("GEVALDI_FASHION"),
    "/usr/share/datasets/fashion-mnist",
    Path(__file__).parents[2] / "shared" / "data" / "fashion",
]
FASHION = next((Path(folder) for folder in GARMENTS if folder and Path(folder).is_dir()), None)
needs_fashion = pytest.mark.skipif(
    FASHION is None, reason="needs Fashion-MNIST: set GEVALDI_FASHION to the folder of its idx files"
)

FOLDERS = [os.environ.get("GEVALDI_SPEECH"), Path(__file__).parents[2] / "shared" / "data" / "fsdd"]
SPEECH = next((Path(folder) for folder in FOLDERS if folder and Path(folder).is_dir()), None)
needs_speech = pytest.mark.skipif(
    SPEECH is None, reason="needs the Free Spoken Digit Dataset: set GEVALDI_SPEECH to the folder of its recordings"
)

IMAGENETS = [os.environ.get("GEVALDI_IMAGENET"), Path(__file__).parents[2] / "shared" / "data"]
IMAGENET = next((Path(folder) for folder in IMAGENETS if folder and (Path(folder) / "imagenet").is_dir()), None)
needs_imagenet = pytest.mark.skipif(
    IMAGENET is None, reason="needs ImageNet pictures and networks: set GEVALDI_IMAGENET to the folder of imagenet/ and taef2/"
)
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # for the networks of `imagenet_world`


@pytest.fixture
def models() -> tuple[gevaldi.Classifier, gevaldi.Classifier, gevaldi.Generator]:
    return small_classifier(0), small_classifier(1), small_generator()


def called(folder: Path, *words: str, columns: int = 80) -> "subprocess.CompletedProcess[str]":
    """What the command does in a folder, called in this process: a new one takes seconds to begin."""
    from gevaldi.cli.main import run

    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("default")
        patch.chdir(folder)
        patch.setenv("COLUMNS", str(columns))
        patch.setattr(sys, "argv", ["gevaldi", *words])
        try:
            run()
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def begun(folder: Path, *words: str) -> int:
    """Let a fork of this process call a command in a folder, write its messages to the file `messages`, and end with its code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            done = called(folder, *words)
            (folder / "messages").write_text(done.stderr)
            code = done.returncode
        finally:
            os._exit(code)
    return child


def written_again(part: Path, table: Any) -> None:
    """Put another table in the place of a part, under the name that its bytes then have."""
    import pyarrow.parquet as pq

    part.unlink()
    pq.write_table(table, part)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()[:32]
    part.rename(part.with_name(f"{part.name.rpartition('-')[0]}-{digest}.parquet"))


def record(**changes: Any) -> dict[str, Any]:
    """What `run.json` holds besides the spec, of a run that nobody computed."""
    network = {"name": "a:network", "parameters": 10, "sha256": "0" * 64, "files": [], "settings": {}, "labels": []}
    whole = {
        "models": {"first": network, "second": network, "generator": network},
        "divergence": {"name": "kl", "unit": "nats", "symmetric": False, "bound": None, "summary": "Kullback-Leibler divergence"},
        "alignment": None,
        "taxonomy": None,
        "versions": {"gevaldi": "0"},
        "device": "cpu",
        "execution": {
            "batch_size": 64,
            "device": "cpu",
            "precision": "float32",
            "small": True,
            "block": 32,
            "channels_last": False,
            "threads": 1,
            "compiled": False,
        },
        "command": "gevaldi compare",
        "created": "2026-01-01T00:00:00",
        "audit": None,
        "warnings": [],
        "inputs": {"files": 0, "sha256": "0" * 64},
    }
    return whole | changes


LEFT_TO_MAKE_TEST = {
    *("test_biggan", "test_checkpoints", "test_documents", "test_experiments", "test_exports", "test_foreign_files"),
    *("test_hub_classifiers", "test_integrity", "test_large_runs", "test_lock", "test_output", "test_quoting"),
    *("test_guess", "test_model_names", "test_paired", "test_preprocessing", "test_sources_of_pictures", "test_stored_predictions"),
    *("test_folder_layouts", "test_kernel_distance", "test_training", "test_shipped", "test_sweeps", "test_storage", "test_ranges"),
    *("test_alignment", "test_figures", "test_inspection", "test_referee", "test_transformers", "test_forms", "test_mass"),
    *("test_plants", "test_plants_score", "test_regions", "test_scheduler", "test_plan", "test_properties", "test_region_texts"),
    *("test_wrappers", "test_evaluation"),
}
"""Files of several seconds each whose rooms other files of `make quick` touch too."""


def pytest_runtest_setup() -> None:
    typechecking.calls.clear()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whole files as slow, so that `make quick` stays below two minutes."""
    for item in items:
        if item.path.stem in LEFT_TO_MAKE_TEST:
            item.add_marker(pytest.mark.slow)
