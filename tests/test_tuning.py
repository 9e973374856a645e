"""What a measurement found is kept for the next run, told in lines, and never in the way."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gevaldi.execution.tuning import Choice, Trial, Tuning, cache_folder, entry, ignoring_cache, in_words, lines_of, load, save

KEY = {"networks": ["a", "b", "c"], "torch": "2"}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tuning(batch_size: int = 16) -> Tuning:
    trials = (
        Trial(way="float32, 2 threads", batch=1, milliseconds=812.5),
        Trial(way="float32, channels last, 2 threads", batch=1, milliseconds=400.0, agrees=True),
        Trial(way="bfloat16, channels last, 2 threads", batch=1, milliseconds=100.0, agrees=False),
        Trial(way="float32, channels last, 2 threads", batch=64, note="fails: OutOfMemoryError"),
    )
    choice = Choice(precision="float32", channels_last=True, batch_size=batch_size)
    return Tuning(choice=choice, trials=trials, date="2026-11-25T10:00:00+00:00", seconds=4.25)


def test_a_saved_measurement_is_loaded_as_it_was_and_marked_as_cached() -> None:
    assert load(KEY) is None
    save(KEY, tuning())
    found = load(KEY)
    assert found == tuning().model_copy(update={"cached": True})


def test_anything_else_in_the_key_is_another_entry() -> None:
    save(KEY, tuning())
    assert load({**KEY, "torch": "3"}) is None
    assert load(dict(reversed(KEY.items()))) is not None


def test_a_new_measurement_replaces_the_cached_one() -> None:
    save(KEY, tuning())
    with ignoring_cache():
        assert load(KEY) is None
        save(KEY, tuning(64))
    found = load(KEY)
    assert found is not None
    assert found.choice.batch_size == 64


@given(cut=st.integers(0, 400), put=st.binary(max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_a_damaged_entry_is_as_none_or_still_a_whole_one(cut: int, put: bytes) -> None:
    save(KEY, tuning())
    path = entry(KEY)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + put + whole[cut + len(put) + 1 :])
    assert load(KEY) is None or isinstance(load(KEY), Tuning)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"choice": {}}', b"\xff\xfe\x00"])
def test_what_is_no_entry_is_measured_again_and_replaced(content: bytes) -> None:
    save(KEY, tuning())
    entry(KEY).write_bytes(content)
    assert load(KEY) is None
    save(KEY, tuning())
    assert load(KEY) is not None


def test_an_entry_of_a_later_version_with_more_in_it_is_measured_again() -> None:
    save(KEY, tuning())
    told = json.loads(entry(KEY).read_text())
    entry(KEY).write_text(json.dumps({**told, "choice": {**told["choice"], "warp": 9}}))
    assert load(KEY) is None


def test_where_nothing_can_be_written_nothing_is_cached_and_no_error_is_raised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "file"))
    save(KEY, tuning())
    assert load(KEY) is None
    monkeypatch.delenv("GEVALDI_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    save(KEY, tuning())
    assert load(KEY) is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_no_error(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    save(KEY, tuning())
    assert load(KEY) is None


def test_the_cache_is_where_each_system_has_its_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEVALDI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    monkeypatch.setenv("LOCALAPPDATA", "/l/local")
    monkeypatch.setattr(Path, "home", lambda: Path("/h"))
    found = {}
    for system in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", system)
        found[system] = cache_folder().as_posix()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    assert found == {"linux": "/x/cache/gevaldi", "darwin": "/h/Library/Caches/gevaldi", "win32": "/l/local/gevaldi/Cache"}
    assert cache_folder().as_posix() == "/h/.cache/gevaldi"


def test_nothing_of_an_entry_that_is_being_written_stays_behind(folder: Path) -> None:
    save(KEY, tuning())
    assert [path.suffix for path in (folder / "tuning").iterdir()] == [".json"]


def execution(of: Tuning) -> dict[str, Any]:
    return {**of.choice.model_dump(), "threads": 2, "compiled": False, "device": "cpu", "tuning": of.record()}


def test_the_lines_say_what_was_tried_what_was_chosen_and_whether_it_is_from_the_cache() -> None:
    lines = lines_of(execution(tuning()))
    assert lines[0] == "Computed in float32, channels last, 2 threads, 16 samples together."
    assert [line.split("  ")[-1].strip() for line in lines[2:5]] == ["812.5", "yes", "no"]
    assert lines[5].endswith("fails: OutOfMemoryError")
    assert lines[-1] == "Measured in 4.2 s on 2026-11-25T10:00:00+00:00, for this run."
    assert "--probe-again" in lines_of(execution(tuning().model_copy(update={"cached": True})))[-1]


def test_a_run_of_small_networks_is_described_by_its_plan() -> None:
    small = {"precision": "float64", "batch_size": 1, "channels_last": False, "threads": 1, "compiled": False, "tuning": None}
    assert lines_of(small) == ["Computed in float64, 1 thread, 1 sample together."]
    assert in_words({"precision": "float32", "threads": None}) == "float32"


def test_measurements_are_read_and_shown_without_torch() -> None:
    import subprocess

    code = "import sys, gevaldi.execution.tuning; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_user_who_asks_is_told_how_the_networks_are_computed_and_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from gevaldi.cli.main import app

    pair = ["bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae", "-n", "1", "--steps", "1"]
    short = ["--set", "audited=2", "--batch-size", "2", "--no-report", "--device", "cpu", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, ["compare", *pair, *short, "--verbose", "--probe-again"])
    assert done.exit_code == 0, done.output
    assert "Computed in float" in done.output
    again = CliRunner().invoke(app, ["compare", *pair, *short])
    assert "Computed in" not in again.output
    assert "is ignored" not in again.output
    for words, what in ((["--probe-again"], "--probe-again"), (["--set", "speed.threads=1"], "speed")):
        late = CliRunner().invoke(app, ["compare", *pair, *short, *words])
        assert late.exit_code == 0, late.output
        assert f"gevaldi: {what} is ignored: {tmp_path / 'run'} already holds a run" in late.output

    def interrupted(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("gevaldi.engines.base.compute_missing", interrupted)
    cut = CliRunner().invoke(app, ["compare", *pair, *short[:-1], str(tmp_path / "other"), "--verbose"])
    assert "Computed in float" in cut.output
    assert "distinct find" not in cut.output
