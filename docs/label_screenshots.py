"""Draw the labelling page for the documentation, from the bundled pair of classifiers of garments and three made-up people.

They answer as the data set's classes say, with some errors. Writes label-task.png and label-owner.png into docs/.

    python docs/label_screenshots.py
"""

import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import gevaldi
from gevaldi.verdicts.answers import CANNOT_TELL

HERE = Path(__file__).parent
ERRORS = {"Ada": 0.02, "Grace": 0.06, "Linus": 0.25}
ANSWERS = 24  # of each
FLAGS = ["--no-sandbox", "--disable-gpu"]


def truth_of(verdict: Any) -> dict[str, str]:
    """What each disputed picture shows."""
    pool, places = verdict.pool, verdict.disputed
    return {text: pool.classes[pool.truth[place]].name for text, place in zip(verdict.ids_at(places), places)}


def answer(service: Any, truth: dict[str, str]) -> None:
    """Everybody answers in turn, as `ERRORS` says."""
    rng = random.Random(0)
    for number in range(ANSWERS):
        for name, error in ERRORS.items():
            person = service.people[name]
            for task in service.next(person)[:1]:
                item = service.item(person, task["task"])
                known = truth.get(item.id) or service.answers_of_controls.get(item.id, CANNOT_TELL)
                wrong = rng.random() < error
                said = rng.choice([one for one in item.choices if one != known]) if wrong else known
                service.answer(person, task["task"], said, f"{name} {number}", shown_ms=rng.randint(2500, 6000))
            service.refresh()


def shoot(page: Page, address: str, path: Path, **options: Any) -> None:
    """One page as a small PNG."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path, **options)
    picture = Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main(folder: Path) -> None:
    """Label, and draw both pages into a folder."""
    browsers = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, browsers)))
    pair = "bundled:fashion-dense", "bundled:fashion-strided"
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        verdict = gevaldi.verdict(
            *pair, "bundled:fashion-garments", out=Path(work, "verdict"), predictions=Path(work, "predictions"), use_truth=False
        )
        with gevaldi.label(verdict, people=tuple(ERRORS), each=2) as labelling:
            answer(labelling.service, truth_of(verdict))
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page(viewport={"width": 1120, "height": 640})
            shoot(page, labelling.links["Ada"], folder / "label-task.png")
            shoot(page, labelling.owner, folder / "label-owner.png", full_page=True)
            browser.close()


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or [HERE]))
