"""Draw a study for the documentation: what a person sees, and the page of its result with simulated people.

Writes study-picture.png and study-result.png into docs/.

    python docs/study_screenshots.py
"""

import shutil
import sys
import tempfile
from pathlib import Path

from label_screenshots import FLAGS, shoot
from playwright.sync_api import sync_playwright

import gevaldi
from gevaldi.studies.export import STATIC
from gevaldi.studies.study import Study, plan_study
from gevaldi.testing.people import SimulatedPeople

HERE = Path(__file__).parent
PEOPLE = SimulatedPeople(
    {"maximally different": 0.5, "most probable": 0.35, "typical disagreements": 0.3, "random": 0.15},
    {"maximally different": -0.3, "most probable": -0.2},
    inattentive=0.08,
)


def make_study(folder: Path) -> Study:
    """A study of the bundled pair of classifiers of garments, whose draws are often disputed."""
    pair = "bundled:fashion-dense", "bundled:fashion-strided"
    comparison = gevaldi.compare(
        *pair, "bundled:fashion-vae", samples=24, real="bundled:fashion-garments", out=folder, progress=False
    )
    comparison.regions(draws=20_000, progress=False)
    return plan_study(folder, people=200, pictures=8)


def main(folder: Path) -> None:
    """Plan a study, answer it, and draw both pages into a folder."""
    browsers = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, browsers)))
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        study = make_study(Path(work, "run"))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 640})
        exported = Path(study.folder, "jspsych")
        (exported / "player.js").write_bytes((STATIC / "player.js").read_bytes())
        (exported / "player.html").write_text((exported / "index.html").read_text("utf-8").replace("load.js", "player.js"), "utf-8")
        page.goto((exported / "player.html").as_uri() + "?number=0")
        keys = {"I agree": "1", "Begin": "Space", "Program A": "1", "fairly sure": "3", "A question in between": "3", "Next": None}
        for words, key in keys.items():
            page.wait_for_selector(f"text={words}")
            if key:
                page.keyboard.press(key)
        page.screenshot(path=folder / "study-picture.png")
        for number in range(study.plan.people):
            study.add(PEOPLE.rows(study.data, study.arms, study.plan.right_answers, number), "simulated")
        page = browser.new_page(viewport={"width": 1000, "height": 1150})
        shoot(page, study.report().as_uri(), folder / "study-result.png")
        browser.close()


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or [HERE]))
