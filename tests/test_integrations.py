"""Results in other tools, read again by the tool: trackers, a model card, a pull request, a test."""

import json
import os
import re
import struct
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image

import gevaldi
from conftest import called
from gevaldi.comparison import Comparison
from gevaldi.errors import MissingExtra, RunFolderError
from gevaldi.integrations import contents as neutral
from gevaldi.integrations import github, mlflow, tensorboard, wandb
from gevaldi.integrations.card import card
from gevaldi.integrations.results import contents_of
from gevaldi.testing import assert_not_worse
from gevaldi.verdicts.gate import MARKER
from gevaldi.verdicts.start import verdict_on
from gevaldi.verdicts.verdict import Verdict
from test_verdicts import label_all, pool_of, random_pool

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled")
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # as GitHub calls it
MLFLOW = Path(sys.prefix) / "mlflow" / "bin" / "python"  # made by `make test`: MLflow takes other versions than our tests
needs_mlflow = pytest.mark.skipif(not MLFLOW.exists(), reason="needs MLflow: make .venv/installed-mlflow")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    folder = tmp_path_factory.mktemp("verdict")
    return gevaldi.verdict(
        *PAIR, "bundled:mnist-digits", margin="0.5%", out=folder / "gate", predictions=folder / "predictions", progress=False
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("comparison") / "run"
    how = {"samples": 1, "steps": 2, "orders": "forward", "real": "bundled:mnist-digits", "progress": False}
    return gevaldi.compare(*PAIR, "bundled:mnist-vae", out=folder, **how)


def run(command: list[str | Path], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | path | variables,
    )


# the list that all tools read


def test_before_the_first_label_a_difference_has_an_interval_and_no_value() -> None:
    numbers = contents_of(verdict_on(pool_of([0] * 10, [1, 1] + [0] * 8))).numbers()
    assert "gevaldi/accuracy/difference" not in numbers
    assert (numbers["gevaldi/accuracy/difference_low"], numbers["gevaldi/accuracy/difference_high"]) == pytest.approx((-0.2, 0.2))
    assert numbers["gevaldi/disputed"] == 2


def test_numbers_of_a_labelled_verdict_are_counts_over_the_pool() -> None:
    pool, truth = random_pool(seed=3)
    verdict = verdict_on(pool, margin=1e-9, require="equivalent")
    while verdict.next():
        label_all(verdict, truth)
    old, new = ((own.top[:, 0] == truth) for own in pool.predictions)
    numbers = contents_of(verdict).numbers()
    if verdict.main.used == verdict.main.disputed:
        assert numbers["gevaldi/accuracy/difference"] == pytest.approx(new.mean() - old.mean())
        assert numbers["gevaldi/accuracy/worse"] == pytest.approx((old & ~new).mean())
        assert numbers["gevaldi/accuracy/better"] == pytest.approx((new & ~old).mean())
    assert numbers["gevaldi/accuracy/difference_low"] - 1e-9 <= new.mean() - old.mean()
    assert new.mean() - old.mean() <= numbers["gevaldi/accuracy/difference_high"] + 1e-9


def test_several_classifiers_have_the_ranks_that_all_labels_give() -> None:
    truth = np.arange(60) % 4
    tops = [np.where(np.arange(60) < wrong, (truth + 1) % 4, truth) for wrong in (20, 0, 40)]
    verdict = verdict_on(pool_of(*tops))
    while verdict.next():
        label_all(verdict, truth)
    numbers = contents_of(verdict).numbers()
    assert [numbers[f"gevaldi/rank/{name}"] for name in ("old", "new", "third")] == [2, 1, 3]


def test_pictures_that_wait_for_a_label_are_not_shown(decided: Verdict) -> None:
    blind = verdict_on(decided.pool, use_truth=False)
    assert blind.left
    assert not contents_of(blind).pictures


def test_pictures_of_a_verdict_are_those_that_one_of_both_reads_rightly(decided: Verdict) -> None:
    truth, pool = decided.pool.truth, decided.pool
    assert truth is not None
    old, new = (own.top[:, 0] == truth for own in pool.predictions)
    groups = dict(contents_of(decided).groups())
    assert len(groups["worse"]) == (old & ~new).sum()
    assert len(groups["better"]) == (new & ~old).sum()
    assert all(" shows " in one.caption for one in groups["worse"])


@pytest.mark.slow
def test_a_comparison_has_the_numbers_of_its_summary_and_of_real_pictures(compared: Comparison) -> None:
    numbers, forward, evaluation = contents_of(compared.run.folder).numbers(), compared.summary()[0], compared.evaluation
    assert evaluation
    assert numbers["gevaldi/forward/differ_end"] == forward.differ_end.value
    assert numbers["gevaldi/forward/divergence_end_high"] == forward.divergence_end.high
    old, new = (
        (evaluation.paired.both + only) / evaluation.known for only in (evaluation.paired.only_first, evaluation.paired.only_second)
    )
    assert numbers["gevaldi/real/accuracy/first"] == pytest.approx(old)
    assert numbers["gevaldi/real/accuracy/second"] == pytest.approx(new)
    assert numbers["gevaldi/real/accuracy/difference"] == pytest.approx(new - old)
    assert numbers["gevaldi/real/accuracy/difference_low"] < new - old < numbers["gevaldi/real/accuracy/difference_high"]


@pytest.mark.slow
def test_regions_have_the_numbers_of_their_table_and_a_picture_each(models: Any, tmp_path: Path) -> None:
    done = gevaldi.compare(*models, samples=1, steps=2, out=tmp_path, progress=False)
    regions = done.regions(300, most=3, progress=False)
    contents, table = contents_of(regions), regions.frame()
    assert len(table)
    for number, row in enumerate(table.to_dict("records")[:8], 1):
        for key in ("mass", "share", "rate"):
            ends = [contents.numbers().get(f"gevaldi/region_{number:02}/{key}{end}", np.nan) for end in ("", "_low", "_high")]
            assert ends == pytest.approx([row[key], row[f"{key}_low"], row[f"{key}_high"]], nan_ok=True)
    assert len(dict(contents.groups())["regions"]) == min(len(table), 8)
    assert contents_of(done).numbers() == contents.numbers()


def test_names_of_metrics_are_what_every_tracker_takes() -> None:
    pool = pool_of([0] * 6, [1] * 6, names=("a/b:c.csv", "ünï côde?"))
    for verdict in (verdict_on(pool, where=["p*"]), verdict_on(pool_of([0] * 6, [1] * 6, [2] * 6, names=("a b", "<c>", "..")))):
        assert all(re.fullmatch(r"[\w./-]+", name, re.ASCII) for name in contents_of(verdict).numbers())


def test_what_is_no_result_is_refused_by_what_came(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="neither a verdict"):
        contents_of(tmp_path)


@pytest.mark.parametrize("module", [mlflow, wandb, tensorboard])
def test_a_missing_package_is_answered_by_the_line_that_installs_it(
    module: Any, decided: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setattr(neutral, "find_spec", lambda package: None if package == name else find_spec(package))
    with pytest.raises(MissingExtra, match=rf"pip install 'gevaldi\[{name}\]'"):
        module.log(decided, *(["board"] if name == "tensorboard" else []))
    assert name in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


# trackers


def test_tensorboard_reads_numbers_pictures_and_sentences(decided: Verdict, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tensorboard.log(decided, tmp_path, step=7)
    board = EventAccumulator(str(tmp_path)).Reload()
    contents = contents_of(decided)
    for name, value in contents.numbers().items():
        (event,) = board.Scalars(name)
        assert (event.step, event.value) == (7, pytest.approx(value, rel=1e-6))  # stored in single precision
    for picture in contents.pictures:
        (image,) = board.Images(f"gevaldi/{picture.name}")
        assert (image.height, image.width) == picture.image.size[::-1]
    (text,) = board.Tensors("gevaldi/summary/text_summary")
    assert contents.sentences[0].split()[0].replace("_", "\\_") in text.tensor_proto.string_val[0].decode()


def records(file: Path) -> Iterator[Any]:
    """The records of a run of Weights & Biases: a log of LevelDB in blocks of 32 KiB, each record in the package's own format."""
    from wandb.proto import wandb_internal_pb2

    content, place, whole = file.read_bytes(), 7, b""
    while place < len(content):
        if (left := 2**15 - place % 2**15) < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", content[place : place + 7])
        whole += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or its last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


@pytest.mark.slow
def test_weights_and_biases_has_numbers_pictures_and_the_page_in_its_offline_run(decided: Verdict, tmp_path: Path) -> None:
    script = (
        "import sys, wandb; from gevaldi.integrations.wandb import log\n"
        "from gevaldi.errors import SpecError\n"
        "try: log(sys.argv[1])\n"
        "except SpecError as error: assert 'wandb.init' in str(error)\n"
        "else: raise AssertionError\n"
        "try: log(3, run=wandb)\n"
        "except SpecError as error: assert 'int was given' in str(error)\n"
        "with wandb.init(project='digits', mode='offline'): log(sys.argv[1])\n"
    )
    places = {f"WANDB_{name}_DIR": str(tmp_path / name.lower()) for name in ("CACHE", "DATA", "CONFIG", "ARTIFACT")}
    done = run([sys.executable, "-c", script, str(decided.folder)], tmp_path, WANDB_SILENT="true", **places)
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    contents, stored = contents_of(decided), list(records(file))
    (history,) = (one.history for one in stored if one.WhichOneof("record_type") == "history")
    items: dict[str, Any] = {}
    for item in history.item:
        key, *inner = item.nested_key or [item.key]
        value = json.loads(item.value_json)
        items[key] = items.get(key, {}) | {inner[0]: value} if inner else value
    assert {name: items[name] for name in contents.numbers()} == pytest.approx(contents.numbers())
    media = file.parent / "files"
    table = json.loads((media / items["gevaldi/table"]["path"]).read_text())
    assert table["columns"] == ["quantity", "value", "low", "high"]
    assert [row[0] for row in table["data"]] == [metric.words for metric in contents.metrics]
    for group, some in contents.groups():
        assert items[f"gevaldi/{group}"]["captions"] == [one.caption for one in some]
        for path, one in zip(items[f"gevaldi/{group}"]["filenames"], some, strict=True):
            assert np.array_equal(np.asarray(Image.open(media / path)), np.asarray(one.image))
    (report,) = (one.artifact for one in stored if one.WhichOneof("record_type") == "artifact" and one.artifact.type == "report")
    files = {entry.path: entry.local_path for entry in report.manifest.contents}
    assert set(files) == {"report.html", "verdict.json"}
    assert "mnist-pooled is better" in Path(files["report.html"]).read_text(encoding="utf-8")


@pytest.mark.slow
@needs_mlflow
def test_mlflow_has_numbers_tags_the_page_and_pictures_of_a_run_of_its_document(decided: Verdict, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- needs mlflow -->\n```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "gate").symlink_to(str(decided.folder))
    code += (
        "import json\n"
        "(run,) = mlflow.search_runs(output_format='list')\n"
        "folder = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path='gevaldi', dst_path='got')\n"
        "print(json.dumps([run.data.metrics, run.data.tags]))\n"
    )
    done = run([MLFLOW, "-c", code], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics, tags = json.loads(done.stdout.splitlines()[-1])
    contents, got = contents_of(decided), tmp_path / "got" / "gevaldi"
    assert metrics == pytest.approx(contents.numbers())
    assert tags["gevaldi.state"] == "holds"
    assert "mnist-pooled is better" in (got / "report.html").read_text(encoding="utf-8")
    assert json.loads((got / "pictures" / "captions.json").read_text()) == {one.name: one.caption for one in contents.pictures}
    for one in contents.pictures:
        assert np.array_equal(np.asarray(Image.open(got / "pictures" / f"{one.name}.png")), np.asarray(one.image))


# a model card


@pytest.mark.slow
def test_the_hub_reads_the_card_of_a_comparison(compared: Comparison) -> None:
    from huggingface_hub import ModelCard

    read = ModelCard(card(compared))
    assert read.data.model_name == "mnist-pooled"
    results = {one.metric_type: one for one in read.data.eval_results or ()}
    evaluation = compared.evaluation
    assert evaluation
    pooled = (evaluation.paired.both + evaluation.paired.only_second) / evaluation.known
    assert results["accuracy"].metric_value == pytest.approx(pooled)
    assert results["accuracy"].dataset_name == "bundled:mnist-digits"
    assert results["accuracy"].metric_args["low"] < pooled < results["accuracy"].metric_args["high"]
    assert read.text.lstrip().startswith("## ")


def test_the_command_writes_the_card_of_a_verdict(decided: Verdict, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    done = called(tmp_path, "card", str(decided.folder), "--out", "README.md")
    assert done.returncode == 0, done.stderr
    (difference,) = [
        one for one in ModelCard.load(tmp_path / "README.md").data.eval_results if one.metric_type == "accuracy_difference"
    ]
    assert difference.metric_value == pytest.approx(decided.interval.value)
    assert called(tmp_path, "card", str(tmp_path)).returncode == 2


def test_a_hostile_name_stays_text_in_a_card() -> None:
    verdict = verdict_on(pool_of([0] * 4, [1] * 4, names=("<script>x</script>", "[a](javascript:x)\n---\n# b")))
    text = card(verdict)
    assert "<script" not in re.sub(r"\\.", "", text)
    assert "\n# b" not in text
    assert "[a](" not in re.sub(r"\\.", "", text)


# a test


def tables(folder: Path, wrong: int) -> tuple[str, str]:
    """Predictions of an old classifier that errs on two pictures of 100, and of a new one."""
    for name, count in (("old", 2), ("new", wrong)):
        lines = [f"{i:03},{'dog' if i >= 100 - count else 'cat'}" for i in range(100)]
        (folder / f"{name}.csv").write_text("\n".join(["picture,class", *lines]) + "\n")
    return f"table:{folder / 'old.csv'}", f"table:{folder / 'new.csv'}"


def labels(folder: Path) -> Path:
    (folder / "labels.csv").write_text("\n".join(["picture,class", *(f"{i:03},cat" for i in range(100))]) + "\n")
    return folder / "labels.csv"


def test_the_assertion_passes_a_classifier_within_the_margin_and_fails_a_worse_one(tmp_path: Path) -> None:
    pair = tables(tmp_path, wrong=8)
    assert assert_not_worse(*pair, margin="6%").decision.is_not_worse
    with pytest.raises(AssertionError, match=r"new\.csv is not worse than old\.csv by more than 2 percentage points: fails"):
        assert_not_worse(*pair, margin=0.02, labels=labels(tmp_path))
    assert assert_not_worse(*tables(tmp_path, wrong=0), labels=labels(tmp_path)).decision.word in ("better", "not worse")


def test_the_assertion_fails_while_labels_are_missing_and_reads_those_of_its_queue(tmp_path: Path) -> None:
    pair, out = tables(tmp_path, wrong=0), tmp_path / "gate"
    with pytest.raises(AssertionError, match=r"undecided\.(.|\n)*To label: .*queue\.csv"):
        assert_not_worse(*pair, out=out)
    lines = (out / "queue.csv").read_text().splitlines()
    (out / "queue.csv").write_text("\n".join([lines[0], *(f"{line.split(',')[0]},cat" for line in lines[1:])]) + "\n")
    assert assert_not_worse(*pair, out=out).used == 2


# a pull request


class GitHub(ThreadingHTTPServer):
    """The comments of one pull request, as GitHub's API has them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Comments)
        self.comments = [{"id": i, "body": f"comment {i}"} for i in range(130)]
        self.writable = True
        self.calls: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def ours(self) -> list[str]:
        return [str(one["body"]) for one in self.comments if str(one["body"]).startswith("<!--")]


class Comments(BaseHTTPRequestHandler):
    server: GitHub

    def answer(self, content: Any, code: int = 200) -> None:
        self.server.calls.append(self.command)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def with_addresses(self, one: dict[str, Any]) -> dict[str, Any]:
        return one | {"url": f"{self.server.address}/repos/o/r/issues/comments/{one['id']}", "html_url": f"https://e/{one['id']}"}

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == "/repos/o/r/issues/5/comments"
        size, page = (int(dict(part.split("=") for part in query.split("&"))[key]) for key in ("per_page", "page"))
        self.answer([self.with_addresses(one) for one in self.server.comments[size * (page - 1) : size * page]])

    def do_POST(self) -> None:
        assert self.path == "/repos/o/r/issues/5/comments"
        self.write({"id": len(self.server.comments)}, new=True)

    def do_PATCH(self) -> None:
        self.write(self.server.comments[int(self.path.rpartition("/")[2])])

    def write(self, one: dict[str, Any], new: bool = False) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        if not self.server.writable or self.headers["Authorization"] != "Bearer secret":
            return self.answer({"message": "Resource not accessible by integration"}, 403)
        self.server.comments += [one] if new else []
        one["body"] = body
        return self.answer(self.with_addresses(one))

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server
        server.shutdown()


def put(hub: GitHub, folder: Path, text: str, *words: str) -> str:
    (folder / "comment.md").write_text(f"{MARKER}\n{text}")
    variables = {"GITHUB_API_URL": hub.address, "GITHUB_REPOSITORY": "o/r", "NUMBER": "5", "GITHUB_TOKEN": "secret"}
    return github.main([str(folder / "comment.md"), *words], variables)


def test_a_comment_is_replaced_also_behind_a_hundred_others(hub: GitHub, tmp_path: Path) -> None:
    assert put(hub, tmp_path, "first").endswith("/130")
    assert put(hub, tmp_path, "second").endswith("/130")
    assert hub.ours == [f"{MARKER}\nsecond"]
    assert len(hub.comments) == 131


def test_gates_of_two_names_have_a_comment_each(hub: GitHub, tmp_path: Path) -> None:
    for name in ("day", "night", "day"):
        put(hub, tmp_path, name, name)
    assert [body.partition("\n")[2] for body in hub.ours] == ["day", "night"]


def test_a_comment_that_is_not_allowed_is_a_warning(hub: GitHub, tmp_path: Path) -> None:
    hub.writable = False
    assert put(hub, tmp_path, "first").startswith("::warning::")
    assert not hub.ours


def action(folder: Path, hub: GitHub, **inputs: str) -> tuple[int, str, str]:
    """Run the steps of the action after the first as GitHub does; returns the exit status, the state and all output."""
    own = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    whole = {name: one.get("default", "") for name, one in own["inputs"].items()} | {"token": "secret"} | inputs
    values = {f"inputs.{name}": text for name, text in whole.items()} | {"github.event.pull_request.number": "5"}
    system = {"GITHUB_API_URL": hub.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_ACTIONS": "true"}
    system |= {name: str(folder / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    said = ""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        (folder / name).write_text("")
    for step in own["runs"]["steps"][1:]:
        assert "${{" not in step["run"]
        variables = {key: values[text.removeprefix("${{ ").removesuffix(" }}")] for key, text in step["env"].items()}
        done = run([*SHELL, step["run"]], folder, **system, **variables)
        said += done.stdout + done.stderr
        if step.get("id") and done.returncode == 0:
            lines = (folder / "GITHUB_OUTPUT").read_text().split()
            values |= {f"steps.{step['id']}.outputs.{key}": text for key, text in (line.split("=", 1) for line in lines)}
        if done.returncode:
            break
    return done.returncode, values.get("steps.verdict.outputs.state", ""), said


@pytest.mark.slow
def test_the_steps_of_the_action_decide_comment_once_and_write_junit(hub: GitHub, tmp_path: Path) -> None:
    tables(tmp_path, wrong=0)
    names = {"old": "table:old.csv", "new": "table:new.csv", "out": "runs/the gate", "options": "--confidence 0.9 --where '0*'"}
    code, state, said = action(tmp_path, hub, **names)
    assert (code, state) == (1, "undecided"), said
    labels(tmp_path)
    code, state, said = action(tmp_path, hub, **names, labels="labels.csv\n")
    assert (code, state) == (0, "holds"), said
    (comment,) = hub.ours
    assert "**holds**" in comment
    assert (hub.calls.count("POST"), hub.calls.count("PATCH")) == (1, 1)
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == comment
    suite = ElementTree.parse(tmp_path / "runs" / "the gate" / "junit.xml").getroot()
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("0", "0")
    assert json.loads((tmp_path / "runs" / "the gate" / "verdict.json").read_text())["question"]["confidence"] == 0.9


@pytest.mark.parametrize("state", ["holds", "fails", "undecided", "error", ""])
@pytest.mark.parametrize("undecided", ["fail", "pass", "typing error"])
def test_the_action_passes_what_holds_and_if_asked_what_is_undecided(state: str, undecided: str, tmp_path: Path) -> None:
    step = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"][-1]
    done = run([*SHELL, step["run"]], tmp_path, STATE=state, UNDECIDED=undecided)
    assert (done.returncode == 0) == (state == "holds" or (state, undecided) == ("undecided", "pass"))


@pytest.mark.slow
def test_the_action_runs_nothing_that_an_input_holds_and_posts_no_old_comment(hub: GitHub, tmp_path: Path) -> None:
    tables(tmp_path, wrong=0)
    (tmp_path / "runs" / "gate").mkdir(parents=True)
    (tmp_path / "runs" / "gate" / "comment.md").write_text(f"{MARKER}\nof yesterday")
    evil = "$(touch evil) `touch evil`; touch evil #\"'"
    code, state, _ = action(tmp_path, hub, old=evil, new="table:new.csv", labels=evil, pool=evil, name=evil, margin=evil)
    assert (code, state) == (1, "error")
    assert not hub.ours
    assert not (tmp_path / "evil").exists()


@pytest.mark.slow
def test_the_action_installs_the_package_of_its_own_folder(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    step = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"][0]
    how = {"PIP_TARGET": str(tmp_path / "site"), "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"}
    done = run([*SHELL, step["run"]], tmp_path, SOURCE=str(ROOT), EXTRAS="timm,onnx", **how)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "gevaldi" / "integrations" / "github.py").exists()


# recipes of the document, and files for the community


def block(kind: str) -> str:
    (text,) = re.findall(rf"```{kind}\n(.*?)```", (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8"), re.DOTALL)[-1:]
    return str(text)


@pytest.mark.slow
def test_the_recipes_for_make_and_pre_commit_decide(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load(block("yaml"))["repos"][0]["hooks"]
    (tmp_path / "Makefile").write_text(block("make"))
    tables(tmp_path, wrong=3)
    labels(tmp_path)
    assert run(["make"], tmp_path).returncode != 0
    assert not (tmp_path / "runs" / "gate" / "junit.xml").exists()
    tables(tmp_path, wrong=0)
    (tmp_path / "runs" / "gate" / "verdict.json").unlink()  # of the other predictions
    done = run(["make"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "up to date" in run(["make"], tmp_path).stdout
    assert hook["entry"] in block("make")
    assert re.search(hook["files"], "new.csv")


def test_the_workflow_of_the_document_gives_the_action_inputs_that_it_has() -> None:
    own = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "integrations.md").read_text(encoding="utf-8")
    workflow = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0])
    (step,) = [one for one in workflow["jobs"]["gate"]["steps"] if "gevaldi" in one["uses"]]
    assert set(step["with"]) <= set(own["inputs"])
    assert {name for name, one in own["inputs"].items() if one.get("required")} <= set(step["with"])


def test_the_citation_names_this_version_and_has_what_its_format_requires() -> None:
    own = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(own)
    assert f'version = "{own["version"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_templates_of_issues_have_a_name_and_say_what_they_are_for() -> None:
    for file in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"):
        _, front, _ = file.read_text(encoding="utf-8").split("---\n", 2)
        assert {"name", "about"} <= set(yaml.safe_load(front)), file
