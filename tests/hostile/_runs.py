"""A finished run of one sample in each order, made once, of which cases get copies."""

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PAIR = ("bundled:mnist-strided", "bundled:mnist-pooled", "-g", "bundled:mnist-vae")
SHORT = ("-n", "1", "--set", "search.steps=1", "--set", "audited=1", "--device", "cpu", "--batch-size", "1")


@functools.cache
def finished_run() -> Path:
    """Its folder, which nobody may change."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = os.environ | {"GEVALDI_CACHE": str(folder / "cache")}
    words = ["compare", *PAIR, *SHORT, "--out", str(folder / "run")]
    subprocess.run([sys.executable, "-m", "gevaldi", *words], check=True, capture_output=True, env=environment)
    return folder / "run"


def copied_run(folder: Path) -> None:
    """A run in a folder that is not there yet."""
    shutil.copytree(finished_run(), folder)
