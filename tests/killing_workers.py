"""Kills the program or a worker of a run on Ray at random moments: `python tests/killing_workers.py FOLDER KILLS SEED`.

The run is on a Ray cluster of this machine that outlives the killed programs, so that they are like drivers of a real one. Raises
AssertionError where a finished part was touched, or where the rows that are there at last are not those of an unbroken run here.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).parent))

from gevaldi.runs.store.run import Run
from killing import compare, finished

DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from killing import compare
compare(Path({folder!r}), samples={samples}, engine="ray,address={address},workers=2")
"""
WORKER = "ray::compute_chunk"
SAMPLES = 600  # so that the search takes longer than the beginning
LOST = 2  # workers that a program loses at most: fewer than are lost with the same samples before these are blamed


def driver(folder: Path, address: str) -> subprocess.Popen[bytes]:
    """A program that begins or continues the run."""
    code = DRIVER.format(tests=str(Path(__file__).parent), folder=str(folder), samples=SAMPLES, address=address)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def workers() -> list[psutil.Process]:
    """Processes of workers of this program's cluster."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            found += [process] if process.cmdline() and process.cmdline()[0].startswith(WORKER) else []
        except psutil.Error:
            continue
    return found


def ends(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a program ends within some time."""
    end = time.monotonic() + seconds
    while child.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    return child.poll() is not None


def main(folder: Path, kills: int, seed: int) -> None:
    from ray.cluster_utils import Cluster

    chance = random.Random(seed)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    compare(folder / "unbroken", samples=SAMPLES)
    expected = Run.open(folder / "unbroken").rows()
    done = {"driver": 0, "worker": 0}
    runs = 0
    while sum(done.values()) < kills:
        run, before, runs = folder / f"broken-{runs}", {}, runs + 1
        while True:
            child = driver(run, cluster.address)
            for _ in range(chance.randrange(LOST + 1)):
                if ends(child, chance.uniform(3, 14)):
                    break
                if there := workers():
                    chance.choice(there).kill()
                    done["worker"] += 1
            if ends(child, chance.uniform(3, 14)):
                assert child.returncode == 0, "a program that nobody killed has failed"
                break
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            done["driver"] += 1
            after = finished(run)
            assert before.items() <= after.items(), "a finished part was lost or written again"
            before = after
        assert before.items() <= finished(run).items(), "a finished part was lost or written again"
        pd.testing.assert_frame_equal(Run.open(run).rows(), expected)
        print(f"{done['driver']} drivers and {done['worker']} workers killed in {runs} runs", flush=True)  # noqa: T201
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
