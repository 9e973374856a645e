"""What is released: the wheel and the source distribution, built from this folder, and used without it."""

import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

import pytest
import yaml

import gevaldi

pytest.importorskip("hatchling")
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from conftest import called

HERE = Path(__file__).parents[1]
DATA = ("flac", "json", "png", "safetensors")  # what is not text that we wrote
OWN = {  # tables that our commands make
    "gevaldi/bundled/weights/bias.json",
    "gevaldi/plants/shares.json",
    "gevaldi/taxonomy/shipped/mnist_digits.json",
}


def built(folder: Path, root: Path = HERE) -> tuple[Path, Path]:
    """The wheel and the source distribution of a tree."""
    (wheel,) = WheelBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    (source,) = SdistBuilder(str(root)).build(directory=str(folder), versions=["standard"])
    return Path(wheel), Path(source)


def members(source: Path) -> dict[str, tuple[int, float, bytes]]:
    """Of a source distribution: mode, time and content of each file."""
    with tarfile.open(source) as archive:
        return {file.name: (file.mode, file.mtime, archive.extractfile(file).read()) for file in archive if file.isfile()}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(tmp_path_factory.mktemp("dist"))


@pytest.mark.slow
def test_the_source_distribution_builds_the_same_bytes_again(release, tmp_path):
    """From another folder, with other times: as whoever packages it for an operating system does."""
    wheel, source = release
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    for path in root.rglob("*"):
        os.utime(path, (1e9, 1e9))
    again = built(tmp_path / "dist", root)
    assert [path.name for path in again] == [wheel.name, source.name]
    assert again[0].read_bytes() == wheel.read_bytes()
    assert members(again[1]) == members(source)


def test_the_version_is_the_same_wherever_it_stands(release, tmp_path):
    wheel, _ = release
    version = wheel.name.split("-")[1]
    assert yaml.safe_load((HERE / "CITATION.cff").read_text())["version"] == version
    assert gevaldi.__version__ == version
    assert called(tmp_path, "--version").stdout == f"gevaldi {version}\n"
    assert f"gevaldi@v{version}\n" in (HERE / "docs" / "integrations.md").read_text()
    assert f"## {version}" in (HERE / "CHANGELOG.md").read_text()


def test_each_file_of_data_in_the_wheel_is_under_exactly_one_licence_that_ships(release):
    with zipfile.ZipFile(release[0]) as wheel:
        names = wheel.namelist()
        licences = [wheel.read(name).decode() for name in names if "/licenses/" in name and ".dist-info/" in name]
    patterns = [re.findall(r"^- (gevaldi/\S+)$", text, re.MULTILINE) for text in licences]
    wordnet = [["gevaldi/taxonomy/shipped/wordnet.json"]]  # whose notice is Princeton's own text
    files = {name for name in names if name.rpartition(".")[2] in DATA} - OWN
    assert files
    for name in files:
        assert sum(any(fnmatchcase(name, pattern) for pattern in some) for some in patterns + wordnet) == 1, name
    for pattern in chain.from_iterable(patterns):
        assert any(fnmatchcase(name, pattern) for name in files), pattern


def test_the_wheel_stays_small_and_holds_neither_tests_nor_pickles(release):
    wheel, _ = release
    assert wheel.stat().st_size < 8e6
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("gevaldi/", "gevaldi-")) for name in names)
    assert not [name for name in names if name.endswith((".pt", ".pth", ".pkl", ".pickle", ".bin"))]


def test_the_page_of_the_package_shows_the_readme(release):
    with zipfile.ZipFile(release[0]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
        metadata = Parser().parse(io.StringIO(wheel.read(name).decode()))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (HERE / "README.md").read_text()


@pytest.mark.slow
def test_without_the_repository_the_package_does_what_the_readme_begins_with(release, tmp_path):
    with zipfile.ZipFile(release[0]) as wheel:
        wheel.extractall(tmp_path / "site")
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}

    code = """
import gevaldi
print(gevaldi.__file__)
pair = "bundled:mnist-strided", "bundled:mnist-pooled"
run = gevaldi.compare(*pair, "bundled:mnist-vae", samples=8, steps=10, goal="most divergent", out="run")
run.regions(5000)  # so many that the rare ones among them are counted, which is faster
gevaldi.verdict(*pair, "bundled:mnist-digits", out="run/verdict")
run.report()
"""
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))
    assert '<h2 id="answer">Decision</h2>' in (work / "run" / "report.html").read_text()
