"""What real pictures say of two classifiers: counts that are known because the pictures say what each will answer."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import gevaldi
from conftest import called, small_generator
from gevaldi.errors import RunFolderError
from gevaldi.measures.evaluation import Evaluation, generator_fails
from gevaldi.reports.answer import Answer, answer
from gevaldi.reports.page import render
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.run import Run
from gevaldi.statistics.paired import Paired
from gevaldi.wrappers.predictions import Tempered
from test_reports import Page, evaluation

QUICK: dict[str, Any] = {
    "samples": 1,
    "steps": 1,
    "audited": 4,
    "device": "cpu",
    "progress": False,
    "batch_size": 2,
    "goal": "most divergent",
}
NAMES = {"first": "A", "second": "B"}
WORLD = {  # outcome: the class of the pictures, what the first says, what the second says, and how many there are
    "both_right": ("0", 0, 0, 30),
    "both_right_too": ("1", 1, 1, 10),
    "only_first": ("0", 0, 1, 12),
    "only_second": ("1", 0, 1, 1),
    "both_wrong_alike": ("2", 1, 1, 2),
    "both_wrong_differently": ("2", 0, 1, 3),
    "unknown": ("zebra", 0, 1, 2),
    "unknown_alike": ("zebra", 2, 2, 2),
}
COUNTS = {"both_right": 40, "only_first": 12, "only_second": 1, "both_wrong_alike": 2, "both_wrong_differently": 3}


class Reads(nn.Module):
    """Says the class that one of a picture's pixels says, for sure: black is class 0, grey 1, white 2."""

    def __init__(self, column: int, broken: bool = False) -> None:
        super().__init__()
        self.column, self.broken = column, broken

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        levels = torch.tensor([0.0, 0.5, 1.0], dtype=pictures.dtype)
        logits = -40 * (pictures[:, 0, 0, self.column, None] - levels) ** 2
        return torch.where(pictures[:, :1, 7, 7] > 0.999, torch.nan, logits) if self.broken else logits


def reads(column: int, **options: bool) -> gevaldi.Classifier:
    return gevaldi.classifier(Reads(column, **options), labels=["0", "1", "2"]).eval()


def written(folder: Path, world: dict[str, tuple[str, int, int, int]], corner: int = 0) -> str:
    """Pictures that say in two pixels what each classifier will answer; they are named by their outcome."""
    for outcome, (shows, first, second, many) in world.items():
        (folder / shows).mkdir(parents=True, exist_ok=True)
        levels = np.zeros((8, 8), np.uint8)
        levels[0, :2] = np.array([0, 128, 255])[[first, second]]
        levels[7, 7] = corner
        for i in range(many):
            Image.fromarray(levels).save(folder / shows / f"{outcome}-{i}.png")
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the pictures of the world, that nobody touches."""
    folder = tmp_path_factory.mktemp("world")
    real = written(folder / "real", WORLD)
    gevaldi.compare(reads(0), reads(1), small_generator(), out=folder / "run", real=real, **QUICK)
    return folder / "run"


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def test_the_record_counts_who_is_right_as_the_pictures_were_made(whole: Path) -> None:
    found = Run.open(whole).record["evaluation"]
    assert {key: found[key] for key in COUNTS} == COUNTS
    assert (found["pictures"], found["known"], found["differ"]) == (62, 58, 12 + 1 + 3 + 2)
    assert (found["first"]["right"], found["second"]["right"]) == (52, 41)
    none = dict.fromkeys(COUNTS, 0)
    assert found["by_class"] == [
        {"class": "0", "pictures": 42, **none, "both_right": 30, "only_first": 12},
        {"class": "1", "pictures": 11, **none, "both_right": 10, "only_second": 1},
        {"class": "2", "pictures": 5, **none, "both_wrong_alike": 2, "both_wrong_differently": 3},
    ]


def test_a_comparison_says_the_same_in_python(whole: Path) -> None:
    found = gevaldi.Comparison.open(whole).evaluation
    assert found
    assert (found.pictures, found.known, found.differ, found.both_wrong_differently) == (62, 58, 18, 3)
    assert (found.paired.both, found.paired.only_first, found.paired.only_second, found.paired.neither) == (40, 12, 1, 5)
    assert found.better == "first"
    exact, anytime = found.first_of_discordant
    assert exact.value == anytime.value == 12 / 13
    assert anytime.low < exact.low < 12 / 13 < exact.high < anytime.high


def test_every_real_picture_has_a_row_with_what_both_say_of_it_and_whether_that_is_right(whole: Path) -> None:
    rows = gevaldi.Comparison.open(whole).pictures()
    assert rows["kind"].value_counts().to_dict() == {"real": 62, "drawn": 4}
    for row in rows[rows["kind"] == "real"].to_dict("records"):
        shows, outcome = row["name"].split("/")[0], row["name"].split("/")[1].rsplit("-", 1)[0]
        own, first, second, _ = WORLD[outcome]
        assert (row["class"], row["first_label"], row["second_label"]) == (shows, first, second) == (own, first, second)
        assert (row["first_class"], row["second_class"]) == (str(first), str(second))
        known = own != "zebra"
        assert row["first_right"] is (str(first) == own if known else None)
        assert row["second_right"] is (str(second) == own if known else None)
        logits = -40 * (np.array([0, 128, 255])[first] / 255 - np.array([0, 0.5, 1])) ** 2
        log_p = logits - np.log(np.exp(logits).sum())
        assert row["first_probability"] == pytest.approx(np.exp(log_p[first]), rel=1e-4)
        if known:
            assert row["first_log_truth"] == pytest.approx(log_p[int(own)], rel=1e-4, abs=1e-6)
        if first != second:
            assert row["picture"]["bytes"][:4] == b"\x89PNG"


def test_the_first_screen_says_who_is_right_more_often_on_how_many_and_by_how_much(whole: Path) -> None:
    said = answer(Run.open(whole).record, NAMES)
    assert said.verdict == "A is right more often than B on pictures like these: on 52 of 58, against 41."
    assert said.reasons[0] == (
        "They give different answers on 18 of 62 pictures. 58 pictures have a class that both know: "
        "only A is right on 12 of these, only B on 1."
    )
    assert said.reasons[1].startswith("The difference in accuracy is 19.0 percentage points in favour of A (95 % interval: ")
    assert "the picture that only B gets right" in said.advice
    assert [tile["value"] for tile in said.tiles] == ["52 of 58", "41 of 58", "18 of 62"]


def test_exchanging_the_two_exchanges_the_answer(whole: Path, tmp_path: Path) -> None:
    real = Run.open(whole).spec.real
    turned = gevaldi.compare(reads(1), reads(0), small_generator(), out=tmp_path / "run", real=real, **QUICK).run.record
    assert answer(turned, {"first": "B", "second": "A"}).verdict == answer(Run.open(whole).record, NAMES).verdict


@pytest.mark.parametrize(
    ("counts", "verdict", "advice"),
    [
        ({"both_right": 50, "both_wrong_alike": 9}, "A and B give the same answer on all 59 real pictures.", ""),
        (
            {"unknown": 7},
            "A and B give different answers on 7 of 7 real pictures, whose true classes are not known.",
            "Next: label some of the 7 pictures on which they differ",
        ),
        (
            {"both_right": 50, "only_first": 3, "only_second": 2},
            "These 55 real pictures do not show which is better: A is right on 53, B on 52.",
            "Next: if the true difference is as large as these pictures suggest, a total of about ",
        ),
        (
            {"both_right": 50, "only_first": 3, "only_second": 3},
            "These 56 real pictures do not show which is better: A is right on 53, B on 53.",
            "Next: choose by other criteria",
        ),
        (
            {"only_first": 5},  # the exact test has p = 1/16
            "These 5 real pictures do not show which is better: A is right on 5, B on 0.",
            "Next: if the true difference is as large as these pictures suggest",
        ),
        (
            {"both_right": 1000, "only_second": 12, "only_first": 1},
            "B is right more often than A on pictures like these: on 1,012 of 1,013, against 1,001.",
            "Next: look at the picture that only A gets right. Does losing it matter more than gaining 12?",
        ),
    ],
)
def test_the_verdict_names_one_only_where_the_counts_show_it(counts: dict[str, int], verdict: str, advice: str) -> None:
    found = evaluation(**counts)
    for side in ("first", "second"):
        found[side]["official"] = False
    said = answer({"evaluation": found}, NAMES)
    assert said.verdict == verdict
    assert said.advice.startswith(advice)
    assert bool(said.advice) == bool(advice)


def test_where_only_one_saw_the_pictures_as_they_are_a_verdict_decides() -> None:
    found = evaluation(both_right=50, only_first=3, only_second=2)
    assert (found["first"]["official"], found["second"]["official"]) == (True, False)
    said = answer({"evaluation": found}, NAMES)
    assert said.verdict == (
        "These 55 real pictures, of which the two saw different versions, do not show which is better: A is right on 53, B on 52."
    )
    assert said.advice.startswith("Next: gevaldi verdict FIRST SECOND --pool folder:DIR shows both the same pictures")


def test_without_real_pictures_nothing_is_said_of_who_is_better(tmp_path: Path) -> None:
    made = gevaldi.compare(reads(0), reads(1), small_generator(), out=tmp_path / "run", **QUICK)
    assert made.evaluation is None
    assert set(made.pictures()["kind"]) == {"drawn"}
    said = answer(made.run.record, NAMES)
    assert said.verdict == "This run does not show whether A or B is better."
    assert "--pool folder:DIR" in said.advice


class BySize:
    """The pipeline of a package, which says 0 of a picture of 16 pixels, and otherwise 1; it remembers what it saw."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, picture: Any) -> torch.Tensor:
        self.seen.append(np.asarray(picture))
        return torch.tensor([[0.0, -9.0, -9.0]] if picture.size == (16, 16) else [[-9.0, 0.0, -9.0]]).log_softmax(1)


class Always(nn.Module):
    """Says 1 of any picture."""

    def __init__(self, sure: float) -> None:
        super().__init__()
        self.sure = sure

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, self.sure, 0.0], dtype=pictures.dtype) * (1 + pictures.mean((1, 2, 3))[:, None])


def always(official: Callable[[Any], torch.Tensor] | None = None) -> gevaldi.Classifier:
    made = gevaldi.classifier(Always(8.0 if official else 9.0), labels=["0", "1", "2"]).eval()
    made.official = official
    return made


def test_a_classifier_with_a_pipeline_of_its_own_is_judged_on_the_picture_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "real" / "0").mkdir(parents=True)
    kept = [np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8) for i in range(9)]
    for i, levels in enumerate(kept):
        Image.fromarray(levels).save(tmp_path / "real" / "0" / f"{i}.png")
    official = BySize()
    real = f"folder:{tmp_path / 'real'}"
    made = gevaldi.compare(always(official), always(), small_generator(), out=tmp_path / "run", real=real, **QUICK)  # of 8 pixels
    seen = [levels for levels in official.seen if levels.shape[:2] == (16, 16)]
    assert len(seen) == 9
    assert all((one == other).all() for one, other in zip(seen, kept, strict=True))  # to the bit
    found = made.run.record["evaluation"]
    assert [found["first"][key] for key in ("official", "right", "right_resized")] == [True, 9, 0]
    assert [found["second"][key] for key in ("official", "right", "right_resized")] == [False, 0, 0]
    assert (found["only_first"], found["differ"]) == (9, 9)
    assert made.run.record["audit"]["real"]["disagreements"] == 0  # at the generator's size they say the same
    rows = made.pictures()
    assert rows.loc[rows["kind"] == "real", ["first_label", "first_resized"]].to_numpy().tolist() == [[0, 1]] * 9
    page = Page(render(made.run)).words
    assert "The first saw the original pictures, preprocessed by the pipeline of its own package; for the second" in page
    assert "right at the generator's size" in page


def test_what_is_no_number_is_never_right(tmp_path: Path) -> None:
    real = written(tmp_path / "real", {"both_right": ("0", 0, 0, 5)})
    written(tmp_path / "real", {"broken": ("0", 0, 0, 3)}, corner=255)
    made = gevaldi.compare(reads(0), reads(1, broken=True), small_generator(), out=tmp_path / "run", real=real, **QUICK)
    found = made.evaluation
    assert found, made.warnings
    assert (found.paired.both, found.paired.only_first) == (5, 3)
    assert made.run.record["evaluation"]["second"]["log_loss"] is None
    page = Page(render(made.run)).words
    assert "no answer (0.00) ✗" in page
    assert "nan" not in page


SAME = ("pictures", "differ", "known", *COUNTS, "by_class")


def judged(record: dict[str, Any]) -> tuple[Any, ...]:
    """All of the answer that must not depend on a temperature."""
    found, said = Evaluation.of(record), answer(record, NAMES)
    assert found
    rights = [found.sides[side]["right"] for side in ("first", "second")]
    return found.better, rights, {key: record["evaluation"][key] for key in SAME}, said.verdict, said.reasons, said.tiles


@pytest.mark.parametrize("temperature", [0.5, 3.0])
@pytest.mark.parametrize("side", [0, 1])
def test_a_temperature_of_either_changes_nothing_of_the_answer(whole: Path, tmp_path: Path, side: int, temperature: float) -> None:
    pair = [reads(0), reads(1)]
    pair[side] = Tempered(pair[side], temperature)
    real = Run.open(whole).spec.real
    turned = gevaldi.compare(pair[0], pair[1], small_generator(), out=tmp_path / "run", real=real, **QUICK).run.record
    assert judged(turned) == judged(Run.open(whole).record)
    key, plain = ("first", "second")[side], Run.open(whole).record["evaluation"]
    assert turned["evaluation"][key]["log_loss"] != plain[key]["log_loss"]  # which is about its confidence


PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled")
DIGITS = "bundled:mnist-digits"


def on_digits(out: Path, first: str, second: str, generator: Any = "bundled:mnist-vae", **settings: Any) -> gevaldi.Comparison:
    asked: dict[str, Any] = {"samples": 2, "steps": 2, "audited": 50, "device": "cpu", "progress": False, "real": DIGITS}
    asked["goal"] = "most divergent"
    return gevaldi.compare(first, second, generator, out=out, **asked | settings)


@pytest.mark.slow
def test_a_temperature_changes_nothing_of_the_answer_on_the_bundled_pair(tmp_path: Path) -> None:
    plain = judged(on_digits(tmp_path / "plain", *PAIR).run.record)
    for side, temperature in enumerate((0.5, 3)):
        pair = [f"tempered:{name},temperature={temperature}" if i == side else name for i, name in enumerate(PAIR)]
        assert judged(on_digits(tmp_path / str(side), *pair).run.record) == plain


def test_the_pictures_of_an_untouched_run_hold(run: Path, tmp_path: Path) -> None:
    done = called(tmp_path, "verify", str(run))
    assert (done.returncode, "FAIL" in done.stdout) == (0, False), done.stdout
    assert "audit.parquet: 62 real pictures" in done.stdout


@pytest.mark.parametrize("command", ["report", "verify"])
@pytest.mark.parametrize("harm", ["missing", "cut", "one bit", "another"])
def test_a_file_of_pictures_that_is_missing_or_was_changed_is_refused_in_a_sentence(
    run: Path, tmp_path: Path, command: str, harm: str
) -> None:
    path = run / "audit.parquet"
    content = path.read_bytes()
    path.unlink()
    if harm != "missing":
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"cut": content[:middle], "one bit": flipped, "another": b"no parquet"}[harm])
    done = called(tmp_path, command, str(run), columns=400)
    said = done.stdout if command == "verify" else done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert "audit.parquet cannot be read" in said if harm == "missing" else "audit.parquet was changed since it was written" in said
    if command == "verify":
        assert [line.startswith("FAIL") for line in said.splitlines() if "audit.parquet" in line] == [True]
    with pytest.raises(RunFolderError, match=r"audit\.parquet"):
        gevaldi.Comparison.open(run).pictures()


def changed(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    change(record["evaluation"])
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.update(only_first=13),
        lambda found: found.update(known=59),
        lambda found: found.update(pictures=50),
        lambda found: found.update(differ=63),
        lambda found: found.update(differ=0),  # which would say that they agree on all
        lambda found: found.update(only_first=11, only_second=2),
        lambda found: found["second"].update(right=42),
        lambda found: found["first"].update(right_resized=59),
        lambda found: found.update(only_first=-12, both_right=64),
        lambda found: found.pop("both_wrong_alike"),
        lambda found: found["by_class"][0].update(only_first=13),
        lambda found: found["by_class"][0].update(only_first=13, both_right=29),
    ],
)
def test_counts_that_do_not_add_up_are_refused_when_a_run_is_opened(run: Path, change: Any) -> None:
    changed(run, change)
    with pytest.raises(RunFolderError, match="evaluation"):
        Run.open(run)


def test_counts_that_add_up_but_are_not_those_of_the_pictures_are_noticed(run: Path, tmp_path: Path) -> None:
    def turn(found: dict[str, Any]) -> None:
        found.update(only_first=1, only_second=12, by_class=[])
        found["first"].update(right=41)
        found["second"].update(right=52)

    changed(run, turn)
    done = called(tmp_path, "verify", str(run), columns=400)
    assert done.returncode == 2
    assert "audit.parquet: only_first is 1 in the record and 12 here; only_second is 12 in the record and 1 here" in done.stdout


def counted(read: int, known: int = 50, other: int | None = None) -> dict[str, int]:
    """An audit's counts of what the better reader reads, and the other."""
    return {"known_first": known, "read_first": read, "known_second": known, "read_second": read if other is None else other}


@pytest.mark.parametrize(
    ("drawn", "real", "fails"),
    [
        (counted(49), counted(990, 1000), False),
        (counted(20), counted(990, 1000), True),
        (counted(49, other=0), counted(990, 1000), False),  # one that reads nothing is no fault of the generator
        (counted(20), counted(400, 1000), False),  # nor are classifiers that read no more of real ones
        (counted(10), None, True),
        (counted(24), None, False),  # a half lies in the interval
        (counted(10), counted(20, 20), True),  # real pictures too few to say
        (counted(0, 20), counted(990, 1000), False),  # drawn ones too few
        (counted(0, 0), None, False),
    ],
)
def test_a_generator_fails_where_the_better_reader_reads_clearly_fewer_of_its_pictures_than_of_real_ones(
    drawn: dict[str, int], real: dict[str, int] | None, fails: bool
) -> None:
    assert (generator_fails({"generated": drawn, "real": real}) is not None) == fails
    assert generator_fails(None) is None


class Misread(nn.Module):
    """The pictures of a generator, white for black or with the range of values of another."""

    def __init__(self, inner: gevaldi.Generator, scale: float, offset: float) -> None:
        super().__init__()
        self.inner, self.scale, self.offset = inner, scale, offset

    def forward(self, z: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.offset + self.scale * self.inner(z, condition)


def misread(scale: float, offset: float) -> gevaldi.Generator:
    inner = gevaldi.generators.load_generator("bundled:mnist-vae")
    (size,) = inner.prior.shape
    names = [label.name for label in inner.conditions]
    return gevaldi.generator(Misread(inner, scale, offset), latent=size, conditions=names).eval()


@pytest.mark.slow
@pytest.mark.parametrize(("real", "scale", "offset"), [(DIGITS, -1, 1), (None, 1 / 255, 0)])
def test_the_page_of_a_generator_loaded_wrongly_begins_with_its_pictures_beside_real_ones(
    tmp_path: Path, real: str | None, scale: float, offset: float
) -> None:
    good = on_digits(tmp_path / "good", *PAIR, real=real)
    assert generator_fails(good.run.record["audit"]) is None
    assert "fails its audit" not in render(good.run)
    bad = on_digits(tmp_path / "bad", *PAIR, misread(scale, offset), real=real)
    said = answer(bad.run.record, NAMES)
    assert said.trouble is not None
    assert said.sentences[-1].startswith("The generator fails its audit. ")
    text = render(bad.run)
    begin = Page(text[text.index("<main") : text.index('class="verdict"')])
    assert " ".join(begin.words.split()).startswith("Decision The generator fails its audit.")
    assert said.trouble in " ".join(begin.words.split())
    assert sum(tag == "img" for tag, _ in begin.tags) == (20 if real else 10)
    drawn = [row for row in pictures_of(bad.run) if row["kind"] == "drawn"]
    assert len(drawn) == 10
    if real:  # the real pictures say the same whatever draws
        assert _without_trouble(said) == _without_trouble(answer(good.run.record, NAMES))


def _without_trouble(said: Answer) -> tuple[Any, ...]:
    return said.verdict, said.reasons, said.advice, said.tiles


ABOUT = {"title": "Is <new> better & cheaper?", "note": 'For the "bottling line".', "author": "M. <b>Curie</b>"}


def test_title_note_and_author_are_kept_and_stand_on_the_page_as_text(tmp_path: Path) -> None:
    made = gevaldi.compare(reads(0), reads(1), small_generator(), out=tmp_path / "run", **ABOUT, **QUICK)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["about"] == ABOUT
    text = render(made.run)
    for said in ABOUT.values():
        assert said in Page(text).words
    assert "<new>" not in text
    assert "<b>Curie" not in text
    bare = gevaldi.compare(reads(0), reads(1), small_generator(), out=tmp_path / "bare", title="  ", **QUICK)
    assert bare.run.record["about"] == {}


NETS = """
import torch, gevaldi
from torch import nn

def net(seed=0):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), labels=3).eval()

def make():
    torch.manual_seed(9)
    return gevaldi.generator(nn.Sequential(nn.Linear(6, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))), latent=6).eval()
"""


def test_a_title_given_to_a_run_that_was_begun_without_it_is_answered_with_a_message(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    words = ["compare", "python:nets.py:net", "python:nets.py:net,seed=1", "-g", "python:nets.py:make", "-n", "1", "--steps", "1"]
    words += ["--set", "audited=2", "--device", "cpu", "--out", "run", "--title", "One"]
    first, same, other = (called(tmp_path, *words, *more) for more in ([], [], ["--title", "Two", "--author", "Me"]))
    assert [done.returncode for done in (first, same, other)] == [0, 0, 0], first.stderr + same.stderr + other.stderr
    assert ["is ignored" in done.stderr for done in (first, same, other)] == [False, False, True]
    assert all(
        f"{flag} is ignored: run already holds a run, which resumes with its original settings." in other.stderr
        for flag in ("--title", "--author")
    )
    assert Run.open(tmp_path / "run").record["about"] == {"title": "One"}
    assert "<h1>One</h1>" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize(("official", "better"), [((True, True), "first"), ((False, False), "first"), ((True, False), None)])
def test_no_side_is_taken_for_the_only_one_that_saw_the_pictures_as_they_are(
    official: tuple[bool, bool], better: str | None
) -> None:
    sides = {
        side: {"official": own, "right": 90, "right_resized": 40} for side, own in zip(("first", "second"), official, strict=True)
    }
    found = Evaluation("x", 100, 40, Paired(50, 40, 0, 10), 0, [], sides)
    assert found.better == better
    turned = Evaluation("x", 100, 40, Paired(50, 0, 40, 10), 0, [], sides)
    assert turned.better == "second"  # though the first saw more of them
