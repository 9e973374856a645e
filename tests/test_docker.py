"""The image: what its files say, without Docker."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXT = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
DOCUMENT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def instructions(name: str) -> list[str]:
    """What follows the name of an instruction, in the order of the file."""
    return re.findall(rf"^{name} (.+)$", TEXT, re.MULTILINE)


def context() -> list[str]:
    """The files and folders of the repository that the image is built from."""
    return [path for line in instructions("COPY") if "--from" not in line for path in line.split()[:-1]]


def wheel(source: Path, folder: Path) -> list[str]:
    """The names in the wheel that a folder is built into."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(zipfile.ZipFile(next(folder.glob("*.whl"))).namelist())


def test_the_build_is_sent_what_it_copies_and_nothing_else() -> None:
    everything, *others = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert everything == "*"
    assert sorted(line[1:] for line in others if line.startswith("!")) == sorted(context())


@pytest.mark.slow
def test_what_the_image_copies_builds_the_whole_package(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    source = tmp_path / "source"
    source.mkdir()
    for name in context():
        path = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(path, source / name, ignore=ignored) if path.is_dir() else shutil.copyfile(path, source / name)
    assert wheel(source, tmp_path / "image") == wheel(ROOT, tmp_path / "repository")


def test_the_image_has_a_python_that_the_package_allows() -> None:
    base = re.match(r"python:(\d+\.\d+)-slim AS python$", instructions("FROM")[0])
    assert base
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{base[1]}.0")


def test_the_image_is_under_the_licences_of_the_package() -> None:
    assert f'licenses="{PROJECT["license"]}"' in instructions("LABEL")[0]


def test_the_image_runs_a_command_of_the_package_as_a_user_without_rights_who_gets_its_signals() -> None:
    import typer

    from gevaldi.cli.main import app

    assert instructions("USER")[-1].partition(":")[0] not in ("root", "0")
    (entry,) = json.loads(instructions("ENTRYPOINT")[-1])  # a shell, as of the other form, would keep signals to itself
    assert entry in PROJECT["scripts"]
    assert json.loads(instructions("CMD")[-1])[0] in typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_document_builds_the_image_with_arguments_and_extras_that_exist_and_opens_its_port() -> None:
    from gevaldi.labelling.serve import PORT

    arguments = dict(re.findall(r"--build-arg (\w+)=([\w,]+)", DOCUMENT))
    assert arguments.keys() == {line.partition("=")[0] for line in instructions("ARG")}
    assert {"web", *arguments["EXTRAS"].split(",")} <= set(PROJECT["optional-dependencies"])
    assert instructions("EXPOSE") == [str(PORT)]
    assert f"-p 127.0.0.1:{PORT}:{PORT}" in DOCUMENT
