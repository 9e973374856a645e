"""Kills runs at random moments and lets them go on, until they are complete: `python tests/killing.py FOLDER KILLS SEED`.

Every attempt is a child of this process, which has imported and built everything already, so that a kill costs no start-up. Raises
AssertionError where a finished part was touched, or where the rows that are there at last are not those of an unbroken run.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parent))

import gevaldi
from conftest import small_classifier, small_generator
from gevaldi.runs.store import writer
from gevaldi.runs.store.run import Run

PART = 4  # rows, so that there is something to lose and something to keep

SEARCH: dict[str, Any] = {"steps": 40, "gain": 0.0, "goal": "most divergent"}
SETTINGS: dict[str, Any] = {**SEARCH, "samples": 20, "audited": 20, "batch_size": 4, "device": "cpu", "progress": False}


def compare(folder: Path, **more: Any) -> None:
    gevaldi.compare(small_classifier(0), small_classifier(1), small_generator(), out=folder, **(SETTINGS | more))


def finished(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The parts on disk: which file each is (a part that is written again is another file) and what it holds."""
    return {part.name: (part.stat().st_ino, part.read_bytes()) for part in (folder / "samples").glob("part-*")}


def killed(folder: Path, after: float) -> bool:
    """Let a child continue the run and kill it after so many seconds, unless it is done by then."""
    child = os.fork()
    if child == 0:
        try:
            compare(folder)
        finally:
            os._exit(0)
    end = time.monotonic() + after
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main(folder: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    chance = random.Random(seed)
    compare(folder / "first")  # which imports what the children do not import again
    begin = time.monotonic()
    compare(folder / "unbroken")
    length = time.monotonic() - begin
    expected = Run.open(folder / "unbroken").rows()
    done, runs = 0, 0
    while done < kills:
        run, before, runs = folder / f"broken-{runs}", {}, runs + 1
        while killed(run, chance.uniform(0, length / 2)):
            done += 1
            after = finished(run)
            assert before.items() <= after.items(), "a finished part was lost or written again"
            before = after
        found = Run.open(run)
        assert before.items() <= finished(run).items(), "a finished part was lost or written again"
        assert not list(run.rglob("*.partial")), "an unfinished file was left"
        pd.testing.assert_frame_equal(found.rows(), expected)
    print(f"{done} kills in {runs} runs of {length:.2f} s")  # noqa: T201


if __name__ == "__main__":
    writer.PART = PART
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
