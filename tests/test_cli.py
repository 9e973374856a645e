"""The command line as a process, and as a user meets it."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from typer.testing import CliRunner

import killing
from conftest import begun, called
from gevaldi.classifiers import sources as classifiers
from gevaldi.classifiers.bundled import NAMES
from gevaldi.cli.main import app
from gevaldi.errors import SpecError, UnknownName
from gevaldi.quoting import quote_name
from gevaldi.runs.store import writer
from gevaldi.runs.store.run import Run
from test_reports import NO_LINES

MODELS = """
import torch, gevaldi
from torch import nn

def net(seed=0, delay=0.0):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 3)), labels=3).eval()

def make():
    torch.manual_seed(9)
    return gevaldi.generator(nn.Sequential(nn.Linear(6, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=6).eval()

def bare():
    return nn.Linear(2, 2)

def broken():
    raise FileNotFoundError("weights.pt")

MODELS = 3
"""
PAIR = ["compare", "python:models.py:net", "python:models.py:net,seed=1", "-g", "python:models.py:make", "--device", "cpu"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(*NO_LINES)  # half the time of a report
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "swept").mkdir()
    (tmp_path / "swept" / "sweep.yaml").write_text("classifiers: {a: python:models.py:net}")
    return tmp_path


def gevaldi(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gevaldi", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_a_comparison_from_the_shell_ends_with_rows_and_a_report(folder: Path) -> None:
    done = gevaldi(folder, *PAIR, "-n", "6", "--steps", "20", "--set", "audited=20", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert all("of 12 samples" in line for line in done.stderr.splitlines())  # at most, as on a busy machine
    assert "report: run/report.html" in done.stdout
    assert len(Run.open(folder / "run").rows()) == 12
    again = called(folder, "compare", "--spec", "run/spec.yaml", "--out", "again")
    assert again.returncode == 0, again.stderr
    one, other = (Run.open(folder / name).rows()[["index", "divergence_end"]] for name in ("run", "again"))
    pd.testing.assert_frame_equal(one, other, rtol=1e-4)


def test_a_log_has_lines_of_progress_and_a_terminal_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gevaldi.progress import Bar, Seldom

    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setenv("FORCE_COLOR", "1")  # as where logs are shown in colours, which makes no terminal of them
    with Bar(True) as bar:
        for now[0] in range(0, 1200, 10):
            bar.rows(int(now[0]), 2400)
            bar.step(64, int(now[0]))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" samples")[0] for line in lines] == [f"gevaldi: {done:,} of 2,400" for done in (30, 90, 210, 450, 930)]
    assert "left, searching 64 at once, step 920" in lines[-1]
    with Bar(False) as bar:
        now[0] += Seldom.LAST
        bar.rows(1, 2)
    assert capsys.readouterr().err == ""


def test_the_doctor_names_the_extras_that_are_there_and_how_to_get_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from gevaldi.cli import diagnosis

    needed = [
        "numpy>=1; extra == 'one'",
        "torch[x]>=2 ; extra == 'one'",
        'nothing-so-called>=1; extra == "two"',
        "mypy; extra == 'test'",
    ]
    monkeypatch.setattr(diagnosis, "requires", lambda package: needed)
    assert diagnosis._extras() == ["ok    extras: one", "      not installed: pip install 'gevaldi[two]'"]


@pytest.mark.slow
def test_killed_at_random_moments_runs_resume_to_the_rows_of_an_unbroken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PART", killing.PART)
    killing.main(tmp_path, 8, 0)  # by hand with more kills, which take their time


@pytest.mark.slow
def test_a_killed_command_is_continued_by_resume(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PART", 2)
    words = [*PAIR, "-n", "16", "--steps", "60", "--set", "search.gain=0", "--set", "audited=20"]
    child = begun(folder, *words, "--batch-size", "2", "--out", "cut")
    while not list((folder / "cut" / "samples").glob("part-*")) and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert 0 < len(Run.open(folder / "cut").done()) < 32
    assert called(folder, "resume", "cut").returncode == 0
    assert called(folder, *words, "--out", "whole").returncode == 0
    pd.testing.assert_frame_equal(Run.open(folder / "cut").rows(), Run.open(folder / "whole").rows())


@pytest.mark.slow
def test_ctrl_c_says_what_is_safe_and_how_to_go_on(folder: Path) -> None:
    words = [*PAIR, "-n", "400", "--steps", "500", "--set", "search.gain=0", "--batch-size", "2", "--out", "run"]
    child = begun(folder, *words)
    while not list((folder / "run" / "samples").glob("part-*")):
        time.sleep(0.05)
    os.kill(child, signal.SIGINT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert "of 800 rows are safe. Resume with: gevaldi resume run" in (folder / "messages").read_text()


def _has_loaded(library: str, pid: int) -> bool:
    try:
        return any(library in part.path for part in psutil.Process(pid).memory_maps())
    except psutil.Error:
        return False


@pytest.mark.slow
def test_ctrl_c_is_answered_also_while_networks_are_loaded(folder: Path) -> None:
    words = [*PAIR, "-n", "4000", "--steps", "500", "--set", "search.gain=0", "--out", "run"]  # long, so that it cannot be over
    process = subprocess.Popen(
        [sys.executable, "-m", "gevaldi", *words], cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not _has_loaded("libtorch", process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "gevaldi: interrupted" in message


def test_settings_are_set_by_dotted_names_whatever_their_value(folder: Path) -> None:
    from gevaldi.spec import overridden

    settings: dict[str, object] = {}
    for assignment in ("search.algorithm=adam,learning_rate=0.05", "conditions=[1, cat]", "search.typical_mass=null", "samples=3"):
        overridden(settings, assignment)
    assert settings == {
        "search": {"algorithm": "adam,learning_rate=0.05", "typical_mass": None}, "conditions": [1, "cat"], "samples": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([*PAIR, "--set", "samples"], "NAME=VALUE was expected"),
        ([*PAIR, "--set", "typical_mass=0.9"], "'typical_mass' is a setting of the search: search.typical_mass."),
        ([*PAIR, "--divergence", "log-odds"], "It takes this, that, written log-odds,this=VALUE,that=VALUE"),
        ([*PAIR, "--divergence", "log-odds,this=1,that=two"], "whole number was expected"),
        (["compare", "models.py:net", *PAIR[2:]], "write python:models.py:net"),
        ([*PAIR, "--set", "seed.x=3", "--seed", "1"], "'seed' is not a group of settings"),
        ([*PAIR, "--device", "meta"], "meta devices are not supported"),
        (["compare", "bundled:mnist-strided", "bundled:mnist-poled", "-g", "bundled:mnist-vae"], "Did you mean 'mnist-pooled'"),
        (["compare", "mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae"], "Did you mean 'bundled:mnist-strided'"),
        (["compare", "bundled:mnist-strided", "--set", "sampels=3"], "'samples'"),
        (["compare", "a:b", "c:d", "-g", "e:f"], "no classifier source named 'a'"),
        ([*PAIR, "--divergence", "kl2"], "'kl'"),
        ([*PAIR, "--divergence", "log-odds,this=1,that=3"], "indices 0 to 2"),
        ([*PAIR, "--algorithm", "adam,rate=3"], "has no option rate. It takes learning_rate=0.5"),
        ([*PAIR, "--algorithm", "adam,learning_rate=-3"], "learning_rate: Input should be greater than 0 (got -3.0)"),
        ([*PAIR, "--real", "folder:nowhere"], "There are no pictures in nowhere"),
        (["compare", "bundled:mnist-strided,x=1", *PAIR[2:]], "has no option x. It takes folder=None, written"),
        (["compare", "bundled:mnist-strided"], "second is missing; generator is missing. A comparison needs"),
        ([*PAIR, "--condition", "7"], "takes no condition"),
        (["demo", "--world", "fashon"], "Did you mean 'fashion'"),
        ([*PAIR[:3], "-g", "python:models.py:bare"], "gevaldi.generator(module, latent=20)"),
        ([*PAIR[:3], "-g", "python:models.py:mak"], "'make'"),
        ([*PAIR[:2], "python:models.py:net,sed=1", *PAIR[3:]], "has no option sed. It takes seed=0, delay=0.0, written"),
        ([*PAIR[:2], "python:models.py:broken", *PAIR[3:]], "FileNotFoundError: weights.pt"),
        ([*PAIR[:2], "python:models.py:MODELS", *PAIR[3:]], "is of type int; a function"),
        ([*PAIR[:2], "python:model.py:net", *PAIR[3:]], "There is no file 'model.py'"),
        ([*PAIR[:2], "python:torch.nothing:net", *PAIR[3:]], "ModuleNotFoundError: No module named 'torch.nothing'"),
        (["report", "nowhere"], "There is no run in nowhere: it has no run.json. `gevaldi compare` creates runs."),
        (
            ["report", "swept"],
            "It holds a sweep, and each of its sub-folders is a run. Resume the sweep with: gevaldi sweep swept/",
        ),
        (
            ["compare", "--spec", "swept/sweep.yaml"],
            "this is the spec of a sweep, not of one comparison. Run it with: gevaldi sweep FILE",
        ),
        (["compare", "--spec", "nowhere.yaml"], "cannot be read"),
        (["train", "mnist", "--data", "nowhere"], "There is no such folder"),
        (["list", "classifier"], "'classifiers'"),
        (["show", "jensen"], "'jensen-shannon'"),
        (["distance", "crane", "brambling"], "Use an id or an index"),
        (["distance", "bramling", "crane bird"], "Did you mean 'brambling'"),
        (["distance", "brambling", "orange", "--convention", "half"], "no convention named 'half'"),
        (["distance", "brambling", "orange", "--taxonomy", "imagenet"], "no taxonomy named 'imagenet'"),
    ],
)
def test_bad_input_is_answered_and_not_thrown(folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], answer: str) -> None:
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, [*words, *(["--out", "run"] if words[0] == "compare" else [])])
    assert answer in str(result.exception)
    assert type(result.exception).__module__ == "gevaldi.errors"
    assert not (folder / "run").exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["export", "run"], "Missing option '--to'. The format: gevaldi list exports"),
        (["sweep"], "Missing argument 'classifiers'. Two or more, SOURCE:NAME; or a bundled sweep"),
        (["show"], "Missing argument 'name'. Any name from gevaldi list"),
        (
            ["export", "run", "--to", "parquet", "--top", "0"],
            "Invalid value for '--top': Input should be greater than or equal to 1",
        ),
    ],
)
def test_what_was_left_out_is_named_and_explained(words: list[str], answer: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert answer in " ".join(result.stderr.split())


def test_an_answer_to_bad_input_is_one_line_with_exit_code_2(folder: Path) -> None:
    done = called(folder, "compare", "bundled:mnist-strided", "bundled:mnist-poled", "-g", "bundled:mnist-vae")
    assert done.returncode == 2
    assert done.stderr.startswith("gevaldi: There is no bundled classifier named 'mnist-poled'.")
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_list_and_show_need_no_torch(folder: Path) -> None:
    script = """
import sys
from typer.testing import CliRunner
from gevaldi.classifiers import sources as classifiers
from gevaldi.cli.main import app
from gevaldi.errors import SpecError, UnknownName
from gevaldi.quoting import quote_name
for words in (["--help"], ["compare", "--help"], ["list"], ["show", "kl"], ["show", "spec"], ["distance", "orange", "lemon"]):
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, (words, result.exception)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_distance_of_two_classes_is_told_with_the_way_in_words() -> None:
    result = CliRunner().invoke(app, ["distance", "harvestman", "barn spider"])
    assert result.output.splitlines() == [
        "1.0 levels (published; 3 edges)",
        "harvestman - arachnid - spider - barn spider",
        "They meet at arachnid: 1 up from harvestman (n01770081), 2 down to barn spider (n01773549).",
    ]


@pytest.mark.parametrize(
    ("words", "offers"),
    [
        (["gevaldi", "compare", "bundled:mnist-po"], [f"bundled:mnist-pooled{size}" for size in ("", "-1k", "-89k")]),
        (["gevaldi", "compare", "bundled", ":", "mnist-pooled-8"], ["mnist-pooled-89k"]),  # as bash takes it apart
        (["gevaldi", "compare", "bundled", ":"], NAMES),
        (["gevaldi", "compare", "bundled", ":", "mnist-pooled", "bundled", ":", "mnist-r"], ["mnist-referee"]),
        (["gevaldi", "compare", "-g", "bundled", ":", ""], ["mnist-vae", "fashion-vae", "speech-vae"]),
        (["gevaldi", "compare", "--divergence", "je"], ["jeffreys", "jensen-shannon"]),
        (["gevaldi", "compare", "--set", "search.t"], ["search.typical_mass="]),
        (["gevaldi", "compare", "--orders", "f"], ["forward"]),
        (["gevaldi", "show", "mnist-ref"], ["mnist-referee"]),
    ],
)
def test_names_complete_in_bash(folder: Path, words: list[str], offers: list[str]) -> None:
    asked = {"_GEVALDI_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    command = [str(Path(sys.executable).parent / "gevaldi")]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT | asked, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.split()) == sorted(offers)


def test_list_names_every_kind_and_show_finds_each_of_them() -> None:
    from gevaldi.cli.catalogue import KINDS, documentation, listing, names_of

    assert all(kind in listing(None) for kind in KINDS)
    assert all(len(documentation(name)) > 40 for name in names_of("everything"))
    assert "mnist-vae" in listing("generators")
    assert all(len(line.split("  ", 2)[-1]) > 20 for line in listing("generators").splitlines()[1:])  # none without its line


@pytest.mark.slow
def test_a_hierarchy_is_learnt_and_then_compared_over_from_the_shell(folder: Path) -> None:
    done = called(folder, "cluster", "bundled:mnist-referee", "--pictures", "bundled:mnist-digits", "--out", "digits.json")
    assert done.returncode == 0, done.stderr
    assert "10 classes, from 1,000 pictures by their true classes" in done.stdout
    assert "\n    {4, 9}\n      4\n      9\n" in done.stdout
    assert called(folder, "show", "digits.json").stdout.strip() in done.stdout
    apart = called(folder, "distance", "4", "9", "--taxonomy", "digits.json")
    assert apart.stdout.startswith("0.5 levels (published; 2 edges)\n4 - {4, 9} - 9\n")
    over = called(folder, *PAIR, "-n", "2", "--steps", "4", "--taxonomy", "digits.json", "--out", "run")
    assert over.returncode == 0, over.stderr  # three classes, 0 to 2, of the ten
    assert "levels, n=1" in over.stdout


@pytest.mark.slow
def test_resume_goes_on_with_the_hierarchy_that_a_run_was_begun_with(folder: Path) -> None:
    (folder / "zoo.yaml").write_text("{all: {x: ['0', '1'], y: '2'}}")
    small = ["--batch-size", "1", "--set", "audited=20"]
    done = called(folder, *PAIR, "-n", "2", "--steps", "3", "--taxonomy", "zoo.yaml", "--out", "run", *small)
    assert done.returncode == 0, done.stderr
    (folder / "zoo.yaml").write_text("{all: ['0', '1', '2']}")
    next((folder / "run" / "samples").glob("part-*")).unlink()
    resumed = called(folder, "resume", "run")
    assert resumed.returncode == 0, resumed.stderr
    again = called(folder.parent, "compare", "--spec", str(folder / "run" / "spec.yaml"), "--out", str(folder / "again"))
    assert again.returncode == 2  # the models, unlike the hierarchy, are named relative to the folder
    assert "models.py" in again.stderr


@pytest.mark.slow
def test_classes_of_labels_may_be_said_on_the_command_line(folder: Path) -> None:
    said = ["--set", "first_classes.0=null", "--set", "first_classes.1=cat", "--set", "second_classes={1: cat, 0: null}"]
    done = called(folder, *PAIR, "-n", "2", "--steps", "4", "--out", "run", *said)
    assert done.returncode == 0, done.stderr
    assert Run.open(folder / "run").record["alignment"]["classes"] == 2
    assert "aligned as the user said over 2 classes" in done.stderr
    assert "One class of the first is left out (0)" in done.stderr
    assert "One class of the first is left out (0)" in (folder / "run" / "report.html").read_text()
    wrong = called(folder, *PAIR, "--set", "first_classes.7=cat")
    assert wrong.returncode == 2
    assert "no label named '7'" in wrong.stderr


@pytest.mark.slow
def test_what_cannot_be_clustered_is_answered(folder: Path) -> None:
    for words, answer in (
        (["bundled:mnist-pooled", "--pictures", "bundled:mnist-digits", "--linkage", "averag"], "Did you mean 'average'"),
        (["bundled:mnist-pooled", "--pictures", "folder:nowhere"], "no pictures"),
        (["bundled:mnist-pooled", "--pictures", "bundled:mnist-digits", "--out", "no/such.json"], "cannot be written"),
        (["bundled:mnist-pooled", "--pictures", "bundled:mnist-digits", "--out", "digits.csv"], "for example --out digits.json"),
        (["python:models.py:net", "--pictures", "bundled:mnist-digits"], "are taken neither in colour nor grey"),
    ):
        done = called(folder, "cluster", *words)
        assert done.returncode == 2
        assert answer in done.stderr


@pytest.mark.slow
def test_an_order_in_which_all_samples_failed_has_a_line_in_the_table(folder: Path) -> None:
    (folder / "zoo.json").write_text('{"all": ["0", "1", "2"]}')
    (folder / "excludes.py").write_text(
        "import torch, gevaldi\nfrom torch import nn\nfrom models import net\n"
        "class Excludes(nn.Module):\n    def forward(self, x):\n"
        "        return net(1).module(x).masked_fill(torch.tensor([True, False, False]), -torch.inf)\n"
        "def make():\n    return gevaldi.classifier(Excludes(), labels=3).eval()\n"
    )
    words = [word.replace("models.py:net,seed=1", "excludes.py:make") for word in PAIR]
    done = called(folder, *words, "-n", "2", "--steps", "3", "--taxonomy", "zoo.json", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert Run.open(folder / "run").rows().groupby("order")["status"].agg(lambda s: (s == "failed").all()).tolist() == [True, False]
    assert " – " in done.stdout


@pytest.mark.parametrize(
    ("kind", "name", "answer"),
    [
        ("classifiers", "old.pth", "torchvision:resnet50,weights=old.pth"),
        ("classifiers", "runs/best.ckpt", "timm:NAME,weights=runs/best.ckpt"),
        ("classifiers", "a,b.safetensors", 'weights="a,b.safetensors"'),
        ("classifiers", "model.onnx", "Write onnx:model.onnx."),
        ("classifiers", "model.pt2", "Write exported:model.pt2."),
        ("classifiers", "models.py", "python:models.py:FUNCTION"),
        ("classifiers", "FOLDER", "transformers:"),
        ("generators", "g.pth", "python:FILE.py:FUNCTION"),
        ("generators", "models.py", "python:models.py:FUNCTION"),
        ("generators", "FOLDER", "diffusers:"),
        ("pictures", "FOLDER", "Write folder:"),
        ("pictures", "some/photo.jpg", "Write folder:some."),
        ("classifiers", "x" * 5000 + ".pth", "is a path"),
        ("generators", "x" * 5000 + ".pth", "is a path"),
        ("pictures", "x" * 5000 + ".jpg", "is a path"),
    ],
)
def test_a_path_that_names_no_source_is_answered_with_how_to_name_it(tmp_path: Path, kind: str, name: str, answer: str) -> None:
    sources = importlib.import_module(f"gevaldi.{kind}").sources
    with pytest.raises(SpecError) as refused:
        sources.load(quote_name(str(tmp_path)) if name == "FOLDER" else quote_name(name))
    assert answer in str(refused.value)


def test_a_misspelt_name_is_still_answered_with_the_nearest_known_ones() -> None:
    with pytest.raises(UnknownName, match="bundled:mnist-strided"):
        classifiers.load("mnist-strided")
