"""A real server and real clients: kill -9 at random moments, lines that drop, posts that come twice, two tabs of each person."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from labelling import crowd, verdict_of  # benchmarks/labelling.py

import gevaldi

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kill -9")]


def test_eight_people_lose_nothing_while_the_server_is_killed_and_lines_drop() -> None:
    found = crowd(people=8, answers=50, kills=5, seed=int.from_bytes(os.urandom(4)))
    assert found["answers"] == 400
    assert found["sent again"] > 0


def test_ctrl_c_ends_the_server_says_how_to_go_on_and_links_stay_valid(tmp_path: Path) -> None:
    models = "bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae"
    gevaldi.compare(*models, samples=8, steps=5, out=tmp_path / "run", progress=False)
    words = [sys.executable, "-m", "gevaldi", "label", str(tmp_path / "run"), "--person", "Ada"]
    links = []
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    for _ in range(2):
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
            try:
                assert process.stdout
                links.append(process.stdout.readline().split(": ", 1)[1].strip())
                task = httpx.get(f"{links[-1]}next").json()["tasks"][0]
                body = {"task": task["task"], "answer": task["choices"][0], "key": f"{len(links)}"}
                assert httpx.post(f"{links[-1]}answer", json=body).json()["stored"]
                process.send_signal(signal.SIGINT)
                _, said = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 130
        assert "the same command goes on, with the same links" in said
        assert "Traceback" not in said
    assert links[0] == links[1]


def test_a_server_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); import gevaldi, labelling, pathlib, time; "
        "print(gevaldi.label(labelling.verdict_of(pathlib.Path(sys.argv[1]), 20)), flush=True); time.sleep(60)"
    )
    benchmarks = str(Path(__file__).parents[1] / "benchmarks")
    words = [sys.executable, "-c", code, str(tmp_path), benchmarks]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        before = process.stdout.readline()
        process.kill()
    with gevaldi.label(verdict_of(tmp_path, 20)) as labelling:
        assert next(iter(labelling.links.values())) in before
