"""What a probe found is kept for the next run, told in lines, and never in the way."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gevaldi.runs.probes import Chosen, Probe, Tried, cache_folder, entry, in_words, keep, kept, lines_of, made_anew
from gevaldi.runs.rounding import Rounding

KEY = {"networks": ["a", "b", "c"], "torch": "2"}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def probe(batch_size: int = 16) -> Probe:
    chosen = Chosen(**Rounding(threads=2, channels_last=True).record(), batch_size=batch_size)
    tried = (
        Tried(way="float32, 2 threads", batch=1, milliseconds=812.5),
        Tried(way="float32, channels last, 2 threads", batch=1, milliseconds=400.0, agrees=True),
        Tried(way="bfloat16, channels last, 2 threads", batch=1, milliseconds=100.0, agrees=False),
        Tried(way="float32, channels last, 2 threads", batch=64, note="fails: OutOfMemoryError"),
    )
    return Probe(chosen=chosen, tried=tried, why=("Because.",), made="2026-11-25T10:00:00+00:00", seconds=4.25)


def test_what_is_kept_is_found_again_as_it_was_and_said_to_be_from_before() -> None:
    assert kept(KEY) is None
    keep(KEY, probe())
    found = kept(KEY)
    assert found == probe().model_copy(update={"cached": True})


def test_anything_else_in_the_key_is_another_entry() -> None:
    keep(KEY, probe())
    assert kept({**KEY, "torch": "3"}) is None
    assert kept(dict(reversed(KEY.items()))) is not None


def test_a_probe_made_anew_takes_the_place_of_what_was_kept() -> None:
    keep(KEY, probe())
    with made_anew():
        assert kept(KEY) is None
        keep(KEY, probe(64))
    found = kept(KEY)
    assert found is not None
    assert found.chosen.batch_size == 64


@given(cut=st.integers(0, 400), put=st.binary(max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_a_damaged_entry_is_as_none_or_still_a_whole_one(cut: int, put: bytes) -> None:
    keep(KEY, probe())
    path = entry(KEY)
    whole = path.read_bytes()
    path.write_bytes(whole[:cut] + put + whole[cut + len(put) + 1 :])
    assert kept(KEY) is None or isinstance(kept(KEY), Probe)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b'{"chosen": {}}', b"\xff\xfe\x00"])
def test_what_is_no_entry_is_measured_again_and_replaced(content: bytes) -> None:
    keep(KEY, probe())
    entry(KEY).write_bytes(content)
    assert kept(KEY) is None
    keep(KEY, probe())
    assert kept(KEY) is not None


def test_an_entry_of_a_later_version_with_more_in_it_is_measured_again() -> None:
    keep(KEY, probe())
    told = json.loads(entry(KEY).read_text())
    entry(KEY).write_text(json.dumps({**told, "chosen": {**told["chosen"], "warp": 9}}))
    assert kept(KEY) is None


def test_where_nothing_can_be_kept_nothing_is_and_nobody_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GEVALDI_CACHE", str(tmp_path / "file"))
    keep(KEY, probe())
    assert kept(KEY) is None
    monkeypatch.delenv("GEVALDI_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    keep(KEY, probe())
    assert kept(KEY) is None


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_no_error(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    keep(KEY, probe())
    assert kept(KEY) is None


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
    keep(KEY, probe())
    assert [path.suffix for path in (folder / "probes").iterdir()] == [".json"]


def test_the_lines_say_what_was_tried_what_was_chosen_and_whether_it_is_from_before() -> None:
    found = probe()
    lines = lines_of({**found.chosen.model_dump(), "device": "cpu", "probe": found.record()})
    assert lines[0] == "Computed in float32, channels last, 2 threads, 16 samples together."
    assert lines[1] == "Because."
    assert [line.split("  ")[-1].strip() for line in lines[3:6]] == ["812.5", "yes", "no"]
    assert lines[6].endswith("fails: OutOfMemoryError")
    assert lines[-1] == "Measured in 4.2 s on 2026-11-25T10:00:00+00:00, for this run."
    again = found.model_copy(update={"cached": True})
    assert "--probe-again" in lines_of({**found.chosen.model_dump(), "probe": again.record()})[-1]


def test_a_run_from_before_there_were_probes_is_told_by_what_its_record_has() -> None:
    old = {"batch_size": 1, "device": "cpu", "precision": "float64", "lanes": 8, "any_batch_size": True, "channels_last": False}
    assert lines_of(old) == ["Computed in float64, 1 sample together."]
    assert in_words({"precision": "float32", "threads": None}) == "float32"


def test_what_a_probe_chose_is_what_a_record_of_a_run_says() -> None:
    assert set(Rounding().record()) | {"batch_size"} == set(Chosen.model_fields)


def test_probes_are_read_and_told_without_torch() -> None:
    import subprocess

    code = "import sys, gevaldi.runs.probes; sys.exit('torch' in sys.modules)"
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
    assert "no effect" not in again.output
    for words, what in ((["--probe-again"], "--probe-again"), (["--set", "speed.threads=1"], "speed")):
        late = CliRunner().invoke(app, ["compare", *pair, *short, *words])
        assert late.exit_code == 0, late.output
        assert f"gevaldi: {what} has no effect here: the run in {tmp_path / 'run'} was begun before" in late.output

    def interrupted(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("gevaldi.engines.base.compute_missing", interrupted)
    cut = CliRunner().invoke(app, ["compare", *pair, *short[:-1], str(tmp_path / "other"), "--verbose"])
    assert "Computed in float" in cut.output
    assert "distinct find" not in cut.output
