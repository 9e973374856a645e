"""Runs whose pictures are sounds: what is heard on the page and on the labelling page, and what exports carry."""

import gc
import io
import json
import re
import sys
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

import gevaldi
from conftest import record
from gevaldi.errors import DataError, SpecError
from gevaldi.exports import export
from gevaldi.labelling.app import make_app
from gevaldi.labelling.assignment import Options
from gevaldi.labelling.queues import of_regions, of_run, of_verdict
from gevaldi.labelling.serve import Labelling
from gevaldi.labelling.service import Service
from gevaldi.labelling.store import Store
from gevaldi.models import Classifier, labels_of
from gevaldi.reports import sounds
from gevaldi.reports.page import render, write_report
from gevaldi.runs.store.regions import Shown, read_regions, write_regions
from gevaldi.runs.store.run import Run
from gevaldi.sounds.header import rate_and_length
from gevaldi.sounds.log_mel import LogMel
from gevaldi.spec import Spec
from gevaldi.verdicts.tasks import write_tasks
from test_regions import Bars, Tall
from test_report_browser import browser, complaints  # noqa: F401
from test_reports import png, row

RATE, LENGTH = 8000, 16_000
STAGES = ("start", "end")
AUDIO = re.compile(r'<audio controls preload="none" src="data:audio/flac;base64,([^"]+)" aria-label="([^"]+)"')


def tone(pitch: float, rate: int = RATE, length: int = LENGTH) -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, 0.5 * np.sin(2 * np.pi * pitch * np.arange(length) / rate), rate, format="FLAC", subtype="PCM_16")
    return sink.getvalue()


def pitch_of(content: bytes) -> int:
    """The strongest frequency in Hz."""
    samples, rate = soundfile.read(io.BytesIO(content))
    return round(np.argmax(np.abs(np.fft.rfft(samples))) * rate / len(samples))


def pitch(index: int, stage: str) -> int:
    return 200 + 40 * index + 20 * (stage == "end")


def stored(index: int, stage: str) -> dict[str, Any]:
    return {"bytes": tone(pitch(index, stage)), "path": None}


def heard_row(index: int, sound: bool = True) -> dict[str, Any]:
    return row(index) | ({f"sound_{stage}": stored(index, stage) for stage in STAGES} if sound else {})


def write_run(folder: Path, rows: list[dict[str, Any]], sound: bool = True) -> Run:
    model = record()["models"]["first"] | {"labels": [{"name": name, "id": None} for name in ("cat", "dog", "eel")]}
    generator = model | {"labels": [], "sound": {"kind": "LogMel", "rate": RATE} if sound else None}
    taxonomy = {"name": "zoo", "convention": "published", "set_sizes": [1, 3], "mean_edges": 10.0, "classes": []}
    taxonomy |= {"sha256": "0" * 64, "by_chance": {"levels": 4.5, "lateral": 0.6}}
    whole = record(models={"first": model, "second": model, "generator": generator}, taxonomy=taxonomy)
    run = Run.create(folder, Spec(first="a", second="b", generator="g", samples=8), whole)
    run.append(rows)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Eight samples with sounds, which no test changes."""
    return write_run(tmp_path_factory.mktemp("heard") / "run", [heard_row(i) for i in range(8)])


@pytest.fixture(scope="module")
def report(run: Run) -> Path:
    path = write_report(run)
    assert isinstance(path, Path)
    return path


# the header


@given(st.sampled_from([8000, 16000, 22050, 44100, 48000, 192000]), st.integers(1, 3000))
def test_the_header_says_what_soundfile_reads(rate: int, length: int) -> None:
    assert rate_and_length(tone(100, rate, length), "it") == (rate, length)


@pytest.mark.parametrize("content", [b"", b"fLaC", b"RIFF" + b"0" * 100, png(0)["bytes"]])
def test_what_is_no_flac_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(DataError, match=r"The sound of it .*no FLAC"):
        rate_and_length(content, "The sound of it")


# the page


def played(page: str) -> dict[str, int]:
    """The pitch behind each player by its name."""
    return {name: pitch_of(b64decode(content)) for content, name in AUDIO.findall(page)}


def test_each_picture_has_a_player_with_its_own_sound(report: Path) -> None:
    titles = {"start": "before", "end": "after"}
    assert played(report.read_text()) == {f"sample {i} {titles[stage]}": pitch(i, stage) for i in range(8) for stage in STAGES}


def test_the_page_names_length_and_pitch_of_sounds(report: Path) -> None:
    page = report.read_text()
    assert "a sound of 2 seconds" in page
    assert "to 4,000 Hz" in page
    assert page.count("time runs to the right") == 1


def test_the_policy_of_the_page_allows_sounds_in_it_and_none_from_elsewhere(report: Path) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', report.read_text())
    assert policy
    assert "media-src data:; " in policy[1]


@pytest.mark.slow
@pytest.mark.parametrize("sound", [True, False])
def test_a_page_without_sounds_is_that_of_a_generator_without(tmp_path: Path, sound: bool) -> None:
    page = render(write_run(tmp_path / "run", [heard_row(i, sound=False) for i in range(2)], sound))
    for trace in ("<audio", "media-src", "loudness", 'class="heard', "<kbd>p</kbd>", "--shape", "is a sound"):
        assert trace not in page


@pytest.mark.slow
def test_sounds_that_find_no_room_are_left_out_and_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [sum(len(heard_row(i)[f"sound_{stage}"]["bytes"]) for stage in STAGES) for i in (7, 6, 5)]
    monkeypatch.setattr(sounds, "BUDGET", sum(sizes))
    page = render(run)
    assert {name.split()[1] for name in played(page)} == {"7", "6", "5"}, "the first of the gallery, by their divergence"
    assert "3 of 8 samples can be played here" in page


@pytest.mark.slow
def test_the_most_probable_disagreement_is_heard_too(tmp_path: Path) -> None:
    own = {"picture_probable": png(99), "sound_probable": {"bytes": tone(3000), "path": None}, "log_prior_probable": -1.0}
    own |= {"first_probable": row(0)["first_end"], "second_probable": row(0)["second_end"], "probable_differs": True}
    assert played(render(write_run(tmp_path / "run", [heard_row(0) | own])))["sample 0 most probable"] == 3000


def picture_of_region(region: int, role: str, name: str, sound: bytes | None) -> Shown:
    return Shown(region, role, name, "cat", "dog", None, 0.5, None, None, png(region)["bytes"], sound)


def test_regions_keep_their_sounds_and_those_without_are_as_before(tmp_path: Path) -> None:
    both = [picture_of_region(1, "exemplar", "3", tone(300)), picture_of_region(1, "real", "a.wav", None)]
    write_regions(tmp_path / "some", {"regions": []}, both)
    write_regions(tmp_path / "none", {"regions": []}, both[1:])
    (_, some), (_, none) = (read_regions(tmp_path / name) or ({}, []) for name in ("some", "none"))
    assert (some, none) == (both, both[1:])


class Hummed(Bars):
    """Bars that can be heard."""

    sound = LogMel(mels=16, frames=16)


@pytest.mark.slow
def test_regions_of_a_comparison_can_be_heard_on_its_page_as_they_sound(browser: Any, tmp_path: Path) -> None:  # noqa: F811
    pair = gevaldi.compare(Tall(), Tall(plant=True), Hummed(), out=tmp_path / "run", samples=1, steps=1, audited=10, progress=False)
    pair.regions(2_000, progress=False)
    _, drawn = read_regions(tmp_path / "run" / "regions") or ({}, [])
    first = next(one for one in drawn if (one.region, one.role) == (1, "probable"))
    for one in [first, *drawn[:2]]:
        assert one.role in ("exemplar", "probable")
        assert one.sound
        levels = torch.from_numpy(np.array(Image.open(io.BytesIO(one.picture)))).float()[None, None] / 255
        samples, rate = soundfile.read(io.BytesIO(one.sound), dtype="float32")
        assert rate == LogMel().rate
        assert np.abs(samples - Hummed.sound.waveform(levels)[0].numpy()).max() <= 1e-3
    for tab in opened(browser, pair.report()):
        best = tab.locator('img[alt^="The most probable"]').evaluate_all("some => some.map((one) => one.alt)")
        assert best == [f"The most probable sound of region {number}" for number in range(1, len(best) + 1)]
        card = tab.locator("#region-1")
        card.locator(".play").first.scroll_into_view_if_needed()
        card.locator("h3 a").focus()
        tab.keyboard.press("p")
        tab.wait_for_function("() => plays.length === 1")
        assert tab.evaluate("plays[0]").endswith(b64encode(first.sound or b"").decode())


# exports


@pytest.mark.slow
def test_datasets_opens_sounds_and_pictures_side_by_side(run: Run, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    exported = export(run, "datasets", tmp_path / "out", pictures="both")
    found = datasets.load_dataset(str(exported.path), split="train", cache_dir=str(tmp_path / "cache"))
    assert found.features["audio"] == datasets.Audio(sampling_rate=RATE)
    for each in found.cast_column("audio", datasets.Audio(decode=False)):
        assert pitch_of(each["audio"]["bytes"]) == pitch(each["index"], each["stage"])
        assert each["audio"]["path"] == f"sample-{each['index']:06d}-{each['stage']}.flac"
        assert each["image"].size == (28, 28)


@pytest.mark.slow
def test_datasets_opens_a_folder_of_sounds_by_class(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setitem(sys.modules, "torchcodec.encoders", ModuleType("torchcodec.encoders"))
    monkeypatch.setattr(sys.modules["torchcodec.encoders"], "AudioEncoder", None, raising=False)  # imported there, and not called
    monkeypatch.setitem(sys.modules, "torchcodec", sys.modules["torchcodec.encoders"])
    datasets.disable_progress_bars()
    exported = export(run, "audiofolder", tmp_path / "out", label="first")
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        found = datasets.load_dataset(str(exported.path), split="train", cache_dir=str(tmp_path / "cache"))
        gc.collect()  # it leaves metadata.csv open
    assert isinstance(found.features["audio"], datasets.Audio)
    rows = found.cast_column("audio", datasets.Audio(decode=False))
    assert {each["index"]: pitch_of(Path(each["audio"]["path"]).read_bytes()) for each in rows} == {
        i: pitch(i, "end") for i in range(8)
    }
    assert all(Path(each["audio"]["path"]).parent.name == each["label"] for each in rows)


def test_pandas_reads_the_same_sounds_from_a_table(run: Run, tmp_path: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(export(run, "parquet", tmp_path / "out").path)
    assert [pitch_of(one["bytes"]) for one in table["audio"]] == [pitch(i, "end") for i in table["index"]]


def test_tasks_for_label_studio_play_blind_sounds(run: Run, tmp_path: Path) -> None:
    folder = export(run, "label-studio", tmp_path / "out").path
    view = ElementTree.parse(folder / "config.xml").getroot()
    audio, choices = view.find("Audio"), view.find("Choices")
    assert audio is not None
    assert choices is not None
    assert view.find("Image") is None
    assert audio.get("value") == "$audio"
    assert choices.get("toName") == audio.get("name")
    key = dict(line.split(",")[:2] for line in (folder / "key.csv").read_text().splitlines()[1:])
    for task in json.loads((folder / "tasks.json").read_text()):
        file = task["data"]["audio"].removeprefix("/data/local-files/?d=")
        assert pitch_of((folder / file).read_bytes()) == pitch(int(key[task["data"]["sample"]]), "end")
        assert set(task["data"]) == {"audio", "sample"}


def test_pictures_of_sounds_are_still_exported_as_pictures(run: Run, tmp_path: Path) -> None:
    folder = export(run, "imagefolder", tmp_path / "out").path
    assert len([*folder.rglob("*.png")]) == 8
    assert not [*folder.rglob("*.flac")]


def test_a_run_without_sounds_is_not_exported_as_sounds(tmp_path: Path) -> None:
    silent = write_run(tmp_path / "silent", [heard_row(0, sound=False)], sound=False)
    with pytest.raises(SpecError, match=r"no sounds.*--to imagefolder"):
        export(silent, "audiofolder", tmp_path / "out")
    lost = write_run(tmp_path / "lost", [heard_row(0, sound=False)])
    with pytest.raises(DataError, match=r"Sample 0 has no sound.*gevaldi\[sound\].*--to imagefolder"):
        export(lost, "audiofolder", tmp_path / "out")
    table = export(lost, "parquet", tmp_path / "table").path
    assert table.exists(), "what has no sound has an empty cell"


# the labelling page


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    run = write_run(tmp_path_factory.mktemp("asked") / "run", [heard_row(i) for i in range(8)])
    assert isinstance(run.folder, Path)
    return Service(of_run(run, controls=0.0), Store(run.folder), ["Ada", "Ben"], Options(repeats=0.0))


def client(service: Service, name: str = "Ada") -> TestClient:
    return TestClient(make_app(service), base_url=f"http://127.0.0.1/p/{service.people[name].token}/")


def test_the_sound_of_a_task_is_that_of_its_sample_and_has_the_type_of_flac(service: Service) -> None:
    ada = service.people["Ada"]
    for task in service.next(ada, 5):
        reply = client(service).get(task["sound"])
        index = int(service.item(ada, task["task"]).id.split("-")[1])
        assert reply.headers["content-type"] == "audio/flac"
        assert pitch_of(reply.content) == pitch(index, "end")


def test_the_address_of_a_sound_tells_nothing_and_opens_for_nobody_else(service: Service) -> None:
    task = service.next(service.people["Ada"])[0]
    assert re.fullmatch(r"sound/[0-9a-f]{20}", task["sound"])
    assert client(service, "Ben").get(task["sound"]).status_code == 404
    assert client(service).get(f"sound/{'0' * 20}").status_code == 404
    reply = client(service).get(task["sound"])
    assert not any("sample" in f"{name}{value}" for name, value in reply.headers.items())


@given(st.integers(0, 9000), st.none() | st.integers(0, 9000))
@settings(max_examples=30)
def test_parts_of_a_sound_are_those_that_a_player_asks_for(service: Service, begin: int, end: int | None) -> None:
    address = service.next(service.people["Ada"])[0]["sound"]
    whole = client(service).get(address).content
    reply = client(service).get(address, headers={"Range": f"bytes={begin}-{'' if end is None else end}"})
    part = whole[begin : None if end is None else end + 1]
    if not part:
        assert (reply.status_code, reply.headers["content-range"]) == (416, f"bytes */{len(whole)}")  # RFC 9110, 15.5.17
        return
    assert (reply.status_code, reply.content) == (206, part)
    assert reply.headers["content-range"] == f"bytes {begin}-{begin + len(part) - 1}/{len(whole)}"  # RFC 9110, 14.4


def test_a_range_of_another_form_gets_the_whole_sound(service: Service) -> None:
    address = service.next(service.people["Ada"])[0]["sound"]
    whole = client(service).get(address)
    for form in ("bytes=-5", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=x-"):
        reply = client(service).get(address, headers={"Range": form})
        assert (reply.status_code, reply.content) == (200, whole.content)


def test_the_page_asks_what_is_heard_and_plays_it_without_a_script(service: Service) -> None:
    task = service.next(service.people["Ada"])[0]
    page = client(service).get("").text
    assert "What do you hear?" in page
    assert "What does this picture show?" not in page
    assert f'<audio controls preload="auto" src="{task["sound"]}"' in page
    assert "media-src 'self'" in client(service).get("").headers["content-security-policy"]
    assert "Each sound comes with a few classes" in client(service).get("guide").text


def test_a_question_about_pictures_has_no_sound(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [heard_row(i, sound=False) for i in range(4)], sound=False)
    service = Service(of_run(run), Store(tmp_path / "run"), ["Ada"], Options())
    task = service.next(service.people["Ada"])[0]
    assert "sound" not in task
    assert client(service).get(f"sound/{task['task']}").status_code == 404
    assert "<audio" not in client(service).get("").text


def test_a_sound_that_is_missing_is_answered_and_can_be_left_as_unclear(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [heard_row(i, sound=False) for i in range(4)])
    service = Service(of_run(run), Store(tmp_path / "run"), ["Ada"], Options())
    reply = client(service).get(service.next(service.people["Ada"])[0]["sound"])
    assert (reply.status_code, reply.text) == (410, "This picture cannot be read.")


def test_pictures_of_regions_are_heard(tmp_path: Path) -> None:
    write_regions(
        tmp_path / "regions", {"regions": []}, [picture_of_region(1, "exemplar", str(i), tone(500 + 2 * i)) for i in range(3)]
    )
    queue = of_regions(tmp_path / "regions")
    assert queue.sound is not None
    assert sorted(pitch_of(queue.sound(item.id)) for item in queue.items) == [500, 502, 504]


class High(Classifier):
    """Reads recordings as low or high by where most of their picture is bright, with a bound of its own."""

    def __init__(self, bound: float) -> None:
        super().__init__()
        self.labels, self.name = labels_of(["low", "high"]), f"high from {bound}"
        self.register_buffer("bound", torch.tensor(bound))
        self.eval()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        rows = pictures.mean((1, 3)).pow(8)
        height = (rows * torch.linspace(1, 0, rows.shape[1])).sum(1) / rows.sum(1)
        return torch.stack([self.bound - height, height - self.bound], 1).mul(50).log_softmax(-1)


@pytest.fixture
def recorded(tmp_path: Path) -> Any:
    """A verdict on recordings of another rate than that of their pictures, on all of which two classifiers differ."""
    for i in range(6):
        (tmp_path / "recordings").mkdir(exist_ok=True)
        (tmp_path / "recordings" / f"{i}.flac").write_bytes(tone(600 + 100 * i, 16_000, 48_000))
    folders = {"out": tmp_path / "verdict", "predictions": tmp_path / "predictions"}
    return gevaldi.verdict(High(0.0), High(1.0), f"sounds:{tmp_path / 'recordings'}", **folders)


def test_who_labels_recordings_hears_them_as_they_were_recorded(recorded: Any) -> None:
    queue = of_verdict(recorded)
    assert queue.sound is not None
    assert len(queue.items) == 6
    for item in queue.items:
        content = queue.sound(item.id)
        assert rate_and_length(content, item.id)[0] == 16_000, "that of the file, not of its picture"
        assert abs(pitch_of(content) - (600 + 100 * int(Path(item.id).stem))) <= 1


def test_tasks_of_a_verdict_on_recordings_play_them(recorded: Any, tmp_path: Path) -> None:
    path = write_tasks(recorded, tmp_path, 4)
    assert ElementTree.parse(path.parent / "config.xml").getroot().find("Audio") is not None
    tasks = [task["data"] for task in json.loads(path.read_text())]
    files = {path.parent / task["audio"].removeprefix("/data/local-files/?d=") for task in tasks}
    assert files == {*(path.parent / "sounds").iterdir()}
    assert all(rate_and_length(file.read_bytes(), file.name)[0] == 16_000 for file in files)


def test_cards_of_a_verdict_play_recordings_as_they_were_recorded(recorded: Any) -> None:
    page = Path(recorded.report()).read_text()
    heard = played(page)
    assert {name: round(pitch, -1) for name, pitch in heard.items()} == {f"{i}.flac": 600 + 100 * i for i in range(6)}
    assert "6 recordings may still be needed" in page
    assert "pictures" not in re.sub(r"<script>.*?</script>|<style>.*?</style>|<pre>.*?</pre>", "", page, flags=re.DOTALL)


@pytest.mark.slow
def test_a_button_on_the_page_of_a_verdict_plays_a_recording_and_stops_it(browser: Any, recorded: Any) -> None:  # noqa: F811
    for tab in opened(browser, Path(recorded.report())):
        for button in (tab.locator(".play").nth(i) for i in (0, 3)):
            button.click()
            tab.wait_for_function("() => plays.length === 1")
            tab.evaluate("() => plays.splice(0)")
        assert tab.locator(".play.on").count() == 1
        tab.locator(".play.on").click()
        hears_nothing(tab)
        tab.keyboard.press("p")
        tab.wait_for_function("() => plays.length === 1")


# in a browser

WATCH = """() => {
  [window.plays, window.players] = [[], new Set()];
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    const played = play.call(this);
    players.add(this);
    played.then(() => plays.push(this.src));
    return played;
  };
}"""
SOUNDING = "() => [...players].filter((one) => !one.paused && !one.ended).length"


@pytest.fixture
def tab(browser: Any, report: Path) -> Iterator[Any]:  # noqa: F811
    yield from opened(browser, report)


def opened(browser: Any, report: Path, **options: Any) -> Iterator[Any]:  # noqa: F811
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(report.as_uri())
    if options.get("java_script_enabled", True):
        page.evaluate(WATCH)
    yield page
    context.close()
    assert troubles == []


def hears(tab: Any, expected: int) -> None:
    """Waits until one more sound has begun: it is of this pitch, and the only one."""
    tab.wait_for_function("() => plays.length > 0")
    begun = [pitch_of(b64decode(address.partition(",")[2])) for address in tab.evaluate("() => plays.splice(0)")]
    assert begun == [expected]
    assert tab.evaluate(SOUNDING) <= 1


def hears_nothing(tab: Any) -> None:
    tab.wait_for_function(f"() => ({SOUNDING})() === 0")


@pytest.mark.slow
def test_p_plays_the_sample_in_view_before_and_then_after_its_search(tab: Any) -> None:
    card = tab.locator("#sample-3")
    card.scroll_into_view_if_needed()
    card.locator("h3 a").focus()
    tab.keyboard.press("p")
    hears(tab, pitch(3, "start"))
    tab.keyboard.press("p")
    hears(tab, pitch(3, "end"))
    card.locator(".end .heard.on").wait_for()  # a line goes along the picture that is heard
    hears_nothing(tab)
    assert card.locator(".heard.on").count() == 0
    tab.keyboard.press("Shift+P")
    hears(tab, pitch(3, "end"))
    tab.keyboard.press("/")
    tab.keyboard.press("p")
    assert tab.locator("#q").input_value() == "p", "in a text, p is a letter"


@pytest.mark.slow
def test_a_button_plays_one_sound_at_a_time_stops_it_and_opens_no_sample(tab: Any) -> None:
    tab.get_by_role("button", name="Play sample 7 before").click()
    hears(tab, pitch(7, "start"))
    tab.get_by_role("button", name="Play sample 7 after").click()
    hears(tab, pitch(7, "end"))
    tab.get_by_role("button", name="Stop sample 7 after").click()
    hears_nothing(tab)
    tab.get_by_role("button", name="Play sample 6 before").press("Enter")
    hears(tab, pitch(6, "start"))
    assert not tab.locator("#viewer").is_visible()


@pytest.mark.slow
def test_the_viewer_plays_both_sides_and_shows_the_picture_that_is_heard(tab: Any) -> None:
    tab.locator("#sample-4 h3 a").click()
    assert tab.locator("#listen .play").count() == 2
    for stage, title, step in (("start", "before", "step 0 of 2"), ("end", "after", "step 2 of 2")):
        tab.keyboard.press("p")
        hears(tab, pitch(4, stage))
        tab.get_by_role("button", name=f"Stop sample 4 {title}").wait_for()
        assert tab.locator("#step").text_content() == step
    tab.locator("#previous").press("ArrowRight")
    hears_nothing(tab)
    assert tab.locator("#listen .play").count() == 2
    tab.keyboard.press("p")
    hears(tab, pitch(3, "start"))
    tab.keyboard.press("Escape")
    hears_nothing(tab)


@pytest.mark.slow
def test_sounds_play_by_touch_on_a_telephone_and_nothing_scrolls_sideways(browser: Any, report: Path) -> None:  # noqa: F811
    for tab in opened(browser, report, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True):
        tab.get_by_role("button", name="Play sample 7 after").tap()
        hears(tab, pitch(7, "end"))
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        box = tab.get_by_role("button", name="Play sample 7 before").bounding_box()
        assert box["height"] >= 44, "as large as a finger"


@pytest.mark.slow
def test_without_a_script_the_browser_has_its_own_players(browser: Any, report: Path) -> None:  # noqa: F811
    for tab in opened(browser, report, java_script_enabled=False):
        assert tab.locator("audio[controls]").count() == 16
        assert tab.locator("button.play").count() == 0


@pytest.mark.slow
def test_axe_finds_nothing_on_a_page_that_plays(tab: Any) -> None:
    assert complaints(tab) == []
    tab.locator("#sample-3 h3 a").click()
    tab.keyboard.press("p")
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        assert complaints(tab) == []


@pytest.mark.slow
def test_one_key_plays_the_sound_of_a_task_and_answers_nothing(browser: Any, tmp_path: Path) -> None:  # noqa: F811
    run = write_run(tmp_path / "run", [heard_row(i) for i in range(8)])
    with Labelling(of_run(run, controls=0.0), ["Ada"], Options(repeats=0.0), "127.0.0.1", None) as site:
        page = browser.new_context().new_page()
        page.goto(site.links["Ada"])
        page.evaluate(WATCH)
        for number, key in enumerate(("Space", "l", "Space"), 1):
            page.locator("#ask button:not(:disabled)").first.wait_for()
            page.keyboard.press(key)
            page.wait_for_function(f"() => plays.length === {number}")
            page.keyboard.press(key)
            hears_nothing(page)
        assert "0 answered" in page.locator("#far").text_content()
        before = page.locator("#picture").get_attribute("src")
        page.keyboard.press("1")
        page.keyboard.press("y")
        page.wait_for_function("before => document.getElementById('picture').getAttribute('src') !== before", arg=before)
        page.locator("#ask button:not(:disabled)").first.wait_for()
        page.keyboard.press("Space")
        page.wait_for_function("() => plays.length === 4")
        here = page.locator("#picture").get_attribute("src").removeprefix("picture/")
        assert page.evaluate("plays.at(-1)").endswith(f"sound/{here}"), "the sound of the task that is shown"
        assert "1 answered" in page.locator("#far").text_content()
        page.context.close()


@pytest.mark.slow
def test_axe_finds_nothing_on_a_labelling_page_that_plays(browser: Any, tmp_path: Path) -> None:  # noqa: F811
    run = write_run(tmp_path / "run", [heard_row(i) for i in range(8)])
    with Labelling(of_run(run, controls=0.0), ["Ada"], Options(repeats=0.0), "127.0.0.1", None) as site:
        page = browser.new_context().new_page()
        for address in (site.links["Ada"], site.links["Ada"] + "guide", site.owner):
            page.goto(address)
            page.wait_for_load_state("networkidle")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                assert complaints(page) == []
        page.context.close()
