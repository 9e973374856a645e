"""The report of 200 samples: how large it is, how long it takes to make, to open and to filter, in headless Chromium.

Two runs: the bundled pair of MNIST classifiers, searched from 100 starts in both orders; and the same rows with other pictures in
them, of 224 pixels a side, that have the spectrum and the noise of photographs. Medians, of five makings in a process of their own,
of nine openings, and of 24 filters, each until it is painted. Prints rows of a Markdown table.

    python benchmarks/report_page.py
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

STARTS, FRAMES, PICTURES = 100, 9, 24
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync"]
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first has no windows, and takes less
CHROMIUM = next((found for found in map(shutil.which, BROWSERS) if found), None)
MAKE = """
import sys
from pathlib import Path
from gevaldi.reports.page import write_report
from gevaldi.runs.store.run import Run
write_report(Run.open(Path(sys.argv[1])))
assert "torch" not in sys.modules
"""
FILTER = """
async ([name, value]) => {
  const field = document.querySelector(`#filters [name="${name}"]`);
  const begin = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - begin;
}
"""
FILTERS = [
    ("order", "forward"),
    ("flipped", "first"),
    ("q", "7"),
    ("sort", "delta_z"),
    ("direction", "up"),
    ("divergence-from", "5"),
]


@cache
def natural(seed: int, size: int = 224, form: str = "PNG") -> dict[str, Any]:
    """A picture with the spectrum of photographs, 1 / f, some texture, and the noise of a sensor."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    frequency[0, 0] = 1 / size
    fields = [np.fft.ifft2(np.fft.fft2(random.normal(size=(size, size))) / frequency**1.2).real for _ in range(4)]
    colours = np.stack([fields[0] / fields[0].std() + 0.4 * own / own.std() for own in fields[1:]], -1)
    levels = 120 + 50 * colours / colours.std() + random.normal(scale=4, size=colours.shape)
    sink = io.BytesIO()
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(sink, form, **({"quality": 90} if form == "WEBP" else {}))
    return {"bytes": sink.getvalue(), "path": None}


def enlarged(run: Any, folder: Path) -> Any:
    """The same rows with large pictures, and as many real ones with different answers as a run keeps."""
    from gevaldi.runs.checks.evaluation import KEPT
    from gevaldi.runs.store.pictures import content_of, pictures_of
    from gevaldi.runs.store.run import Run

    real = [row for row in pictures_of(run) if row["kind"] == "real"]
    parted = [row | {"second_label": row["first_label"] + 1, "picture": natural(i % PICTURES)} for i, row in enumerate(real[:KEPT])]
    content = content_of(parted + real[KEPT:])
    record = {key: run.record[key] for key in run.record.keys() - {"format", "fingerprint", "spec"}}
    other = Run.create(folder, run.spec, record | {"pictures": {"sha256": sha256(content).hexdigest()}}, pictures=content)
    rows = []
    for row in run.each():
        start, end = natural(row["index"] % PICTURES), natural((row["index"] + 1) % PICTURES)
        along = [natural((row["index"] + i) % PICTURES, form="WEBP") for i in range(FRAMES)]
        steps = sorted({round(i * row["step_end"] / (FRAMES - 1)) for i in range(FRAMES)})
        rows.append(row | {"picture_start": start, "picture_end": end, "picture_original": start, "path_picture_steps": steps})
        rows[-1]["path_pictures"] = along[: len(steps)]
    other.append(rows)
    return other


def made(folder: Path) -> tuple[float, float, int]:
    """Seconds to make the page in a process of its own, those of the processor, and its bytes."""
    begin, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True)
    taken, after = time.perf_counter() - begin, os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return taken, busy, (folder / "report.html").stat().st_size


def opened(browser: Any, page: Path) -> float:
    """Milliseconds until the page is loaded, its script has run and it is painted."""
    tab = browser.new_page()
    begin = time.perf_counter()
    tab.goto(page.as_uri())
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    taken = 1000 * (time.perf_counter() - begin)
    tab.close()
    return taken


def filtered(browser: Any, page: Path) -> list[float]:
    """Milliseconds of each filter, set and taken away."""
    tab = browser.new_page()
    tab.goto(page.as_uri())
    usual = {"sort": "divergence", "direction": "down"}
    steps = [step for name, value in FILTERS for step in ((name, value), (name, usual.get(name, "")))]
    taken = [tab.evaluate(FILTER, list(step)) for step in 2 * steps]
    tab.close()
    return taken


def measured(name: str, folder: Path) -> None:
    """Print the row of one run."""
    from playwright.sync_api import sync_playwright

    makings = [made(folder) for _ in range(5)]
    page = folder / "report.html"
    if CHROMIUM is None:
        sys.exit(f"None of {', '.join(BROWSERS)} is on the path, which opening and filtering are measured in.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        openings, filters = [opened(browser, page) for _ in range(9)], filtered(browser, page)
        browser.close()
    seconds, busy, size = (median(values) for values in zip(*makings, strict=True))
    making = f"{seconds:.1f} s, {busy:.1f} s of a processor"
    print(f"| {name} | {size / 1e6:.2f} MB | {making} | {median(openings):.0f} ms | {median(filters):.0f} ms |", flush=True)


def main() -> None:
    """Measure both."""
    import gevaldi

    print("| report of 200 samples | size | made in | opens in | filters in |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        small, large = Path(temporary) / "small", Path(temporary) / "large"
        pair = "bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae"
        run = gevaldi.compare(*pair, samples=STARTS, real="bundled:mnist-digits", out=small).run
        measured("MNIST", small)
        enlarged(run, large)
        measured("224 pixels", large)


if __name__ == "__main__":
    main()
