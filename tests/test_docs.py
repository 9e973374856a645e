"""What the documents show runs."""

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from conftest import called
from started import STARTED, run_python

ROOT = Path(__file__).parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes started here; on a busy machine ten times faster than two


def sources_table() -> str:
    """The sources of models and pictures as a table, from their own documentation."""
    from gevaldi.classifiers import sources as classifiers
    from gevaldi.generators import sources as generators
    from gevaldi.pictures import sources as pictures

    lines = ["| gives | source | what it is |", "|---|---|---|"]
    for kind, found in (("classifiers", classifiers), ("generators", generators), ("pictures", pictures)):
        lines += [f"| {kind} | `{name}:` | {found.registry.summary(name).rstrip('.')} |" for name in found.registry]
    return "\n".join(lines)


def with_sources(page: str) -> str:
    """A page whose table of sources is as they are now."""
    begin, end = page.index("-->", page.index("<!-- sources:")) + 3, page.index("<!-- end of sources")
    return f"{page[:begin]}\n{sources_table()}\n{page[end:]}"


def test_the_table_of_sources_is_what_they_say_of_themselves() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert with_sources(page) == page, "python tests/test_docs.py writes it anew"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/add-a-divergence.md",
        "docs/your-own-parts.md",
        "docs/black-boxes.md",
        "docs/bring-your-own-models.md",
        "docs/figures.md",
        "docs/export.md",
        "docs/hierarchy.md",
        "docs/integrations.md",
        "docs/label.md",
        "docs/mathematics.md",
        "docs/models.md",
        "docs/plants.md",
        "docs/retrain.md",
        "docs/validate-imagenet.md",
        "docs/verdict.md",
        "docs/regions.md",
        "docs/sound.md",
        "docs/study.md",
        "docs/speech.md",
    ],
)
def test_the_python_of_a_document_runs_as_it_stands(name: str, tmp_path: Path) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"(?<!-->\n)```python\n(.*?)```", page, re.DOTALL))  # without those below <!-- needs PACKAGE -->
    assert code
    process = STARTED.Process(target=run_python, args=(code, tmp_path))
    process.start()
    process.join()
    assert process.exitcode == 0, (tmp_path / "output").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_gate_of_its_document_runs_as_it_stands(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "gate.md").read_text(encoding="utf-8"), re.DOTALL))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eu", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two-checkpoints", "int8-copy", "many-models", "own-generator"])
def test_the_blocks_of_a_how_to_run_in_their_order(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for language, code in re.findall(r"```(python|bash)\n(.*?)```", page, re.DOTALL):
        if file := re.match(r"# (\w+\.py)\n", code):
            (tmp_path / file[1]).write_text(code, encoding="utf-8")
        elif language == "python":
            with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                patch.chdir(tmp_path)
                exec(compile(code, f"{name}.md", "exec"), {})
        else:
            for line in code.replace("\\\n", "").splitlines():
                words = shlex.split(line)
                assert words[0] == "gevaldi"
                done = called(tmp_path, *words[1:])
                assert done.returncode == 0, done.stdout + done.stderr


def commands_of(text: str) -> set[str]:
    """The commands of a page's blocks, each on one line."""
    blocks = re.findall(r"^```\w*\n(.*?)^```|^((?: {4}.*\n|\n)+)", text, re.DOTALL | re.MULTILINE)
    lines = re.sub(r" *\\\n *", " ", "\n".join(fenced or indented for fenced, indented in blocks)).splitlines()
    return {match[1] for line in lines if (match := re.match(r" *(?:\$ |docker run .* )?gevaldi (.+)", line))}


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name)
def test_every_command_of_a_page_has_options_that_exist(page: Path) -> None:
    import typer

    from gevaldi.cli.main import app

    group = typer.main.get_command(app)
    for line in sorted(commands_of(page.read_text(encoding="utf-8"))):
        words = shlex.split(re.split(r" (?:\|\||&&|>|\|) ", line)[0], comments=True)
        command: Any = group
        context = typer.Context(group, info_name="gevaldi")
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not group, line
        known = {option for param in command.get_params(context) for option in (*param.opts, *param.secondary_opts)} | {"-h"}
        for word in words:
            if re.match(r"--?[a-zA-Z]", word):
                assert word.partition("=")[0] in known, f"{page.name}: {line}: {word}"


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom() -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert shown


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)


def test_layers_and_torch_free_parts_are_kept() -> None:
    script = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


if __name__ == "__main__":
    path = ROOT / "docs" / "models.md"
    path.write_text(with_sources(path.read_text(encoding="utf-8")), encoding="utf-8")
