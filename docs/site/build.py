"""Build the documentation site from the documents of the repository: `make site`.

The Markdown in docs/ reads well where the repository is shown. For the site, links between files become links between pages,
indented blocks of commands become highlighted ones, formulas become MathML, and what no file holds is written: the reference, the
tutorial from its notebook, the drawing of the rooms. Nothing is fetched from the network, neither here nor by the pages.
"""

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import catalogue
import reference
import rooms
import yaml
from latex2mathml.converter import convert

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# What zensical has a page fetch to search without a server; frame-worker.js takes its place.
SHIM = "https://unpkg.com/iframe-worker/shim"
COMMAND = re.compile(r"\$ |(gevaldi|make|pip|cd|python|source|docker|export|[A-Z_]+=\S*)\b")


def build(folder: Path, report: Path) -> Path:
    """Build the site in `folder`, and return its first page.

    Args:
        folder: is emptied; the site is its subfolder `site`.
        report: the page of a comparison, which the home page shows.

    Raises:
        SystemExit: a link leads nowhere, or a page of the navigation does not exist.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    shutil.copytree(HERE / "assets", pages / "assets")
    (pages / "demo").mkdir()
    shutil.copyfile(report, pages / "demo" / "report.html")
    written = written_pages(pages)
    for name, text in written.items():
        (pages / name).parent.mkdir(exist_ok=True)
        (pages / name).write_text(text, encoding="utf-8")
    settings = yaml.safe_load((HERE / "site.yml").read_text(encoding="utf-8"))
    settings["nav"] = navigation(settings["nav"], sorted(written))
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    if subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, check=False).returncode:
        sys.exit("The site was not built. Mend the links above in the files that they come from.")
    for page in (folder / "site").rglob("*.html"):
        if "demo" not in page.parts:
            page.write_text(finished(page.read_text(encoding="utf-8"), len(page.relative_to(folder).parts) - 2), encoding="utf-8")
    return folder / "site" / "index.html"


def written_pages(pages: Path) -> dict[str, str]:
    """The Markdown of all pages by their paths on the site; pictures and other files that they link to are copied beside them."""
    homes = {path: path.name.lower() for path in ROOT.glob("*.md")}
    homes |= {path: path.name for path in (ROOT / "docs").glob("*.md")}
    homes |= {ROOT / "README.md": "index.md", ROOT / "benchmarks" / "README.md": "benchmarks.md"}
    tutorial = ROOT / "docs" / "tutorial.ipynb"
    text = {name: path.read_text(encoding="utf-8") for path, name in homes.items()}
    written = {
        name: highlighted(linked(text[name], path.parent, homes | {tutorial: "tutorial.md"}, pages)) for path, name in homes.items()
    }
    written["index.md"] = home(written["index.md"])
    written["architecture.md"] = rooms.drawn(written["architecture.md"])
    written["tutorial.md"] = notebook(json.loads(tutorial.read_text(encoding="utf-8")), pages / "tutorial")
    return written | {f"reference/{name}.md": text for name, text in {**reference.pages(), **catalogue.pages()}.items()}


def linked(text: str, folder: Path, homes: dict[Path, str], pages: Path) -> str:
    """The text of a file in `folder` with its links to other files led to their pages, or to copies of the files."""

    def led(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        if target in homes:
            return f"]({homes[target]}{match[2] or ''})"
        if not target.is_file():
            return match[0]  # the build refuses it, and names the line
        (pages / "files").mkdir(exist_ok=True)
        shutil.copyfile(target, pages / "files" / target.name)
        return f"](files/{target.name})"

    return re.sub(r"\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)", led, text)


def highlighted(text: str) -> str:
    """The text with its indented blocks as fenced ones, which are coloured if they hold commands."""
    lines, shown, fenced, block = text.splitlines(), list[str](), False, list[str]()
    for line, before in zip([*lines, ""], ["", *lines], strict=True):
        if block and (line.startswith("    ") or not line):
            block.append(line[4:])
        elif not fenced and not before and line.startswith("    ") and not block:
            block = [line[4:]]
        else:
            shown, block = [*shown, *fence(block)], []
            fenced ^= line.lstrip().startswith("```")
            shown.append(line)
    return "\n".join([*shown, *fence(block)])


def fence(block: list[str]) -> list[str]:
    """The lines of a fenced block, and those that are empty after it."""
    if not block:
        return []
    while not block[-1]:
        block = block[:-1]
    language = "console" if block[0].startswith("$ ") else "sh" if any(map(COMMAND.match, block)) else "text"
    return [f"```{language}", *block, "```", ""]


def home(text: str) -> str:
    """The home page: the README, with the page of the demo in place of its picture, and without its list of pages."""
    opening, rest = re.split(r"^!\[[^\]]*\]\(files/demo\.png\)$", text, maxsplit=1, flags=re.MULTILINE)
    rest = re.sub(r"\n## More\n.*?(?=\nGeValDi implements)", "\n", rest, flags=re.DOTALL)
    return f"""---
title: GeValDi
hide: [navigation, toc, path]
---

<div class="opening" markdown>

{opening}

[Tutorial: ten minutes](tutorial.md){{.md-button .md-button--primary}} [I have two checkpoints](two-checkpoints.md){{.md-button}}

</div>

<figure class="demo" markdown>
<iframe src="demo/report.html" title="The report of the demo" loading="lazy"></iframe>
<figcaption markdown="span">The page that `gevaldi demo` writes, live. [Open it alone](demo/report.html)</figcaption>
</figure>

{rest}"""


def notebook(cells: dict[str, Any], pictures: Path) -> str:
    """A notebook as Markdown, with the outputs that it holds; its pictures are written into a folder."""
    shown: list[str] = []
    for cell in cells["cells"]:
        source = "".join(cell["source"])
        shown.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                shown.append(_picture(data["image/png"], pictures))
            elif "text/html" in data:
                table = re.sub(r"<style.*?</style>|<p>.*?</p>", "", "".join(data["text/html"]), flags=re.DOTALL)
                table = (
                    table.replace("<th></th>", "<td></td>")
                    .replace(' border="1" class="dataframe"', "")
                    .replace(' style="text-align: right;"', "")
                )
                shown.append("\n".join(line.strip() for line in table.splitlines() if line.strip()))
            else:
                shown.append("```text\n{}\n```".format("".join(output.get("text") or data["text/plain"]).rstrip()))
    return "\n\n".join(shown) + "\n"


def _picture(encoded: str, folder: Path) -> str:
    from base64 import b64decode

    folder.mkdir(exist_ok=True)
    name = f"{len(list(folder.iterdir())) + 1}.png"
    (folder / name).write_bytes(b64decode(encoded))
    return f"![What the code above draws]({folder.name}/{name})"


def navigation(entries: list[Any], pages: list[str]) -> list[Any]:
    """The entries with patterns replaced by the pages that they stand for, without sections that are then empty."""
    named = {page for page in _leaves(entries) if "*" not in page}

    def expand(entry: Any) -> list[Any]:
        if isinstance(entry, str):
            some = [page for page in pages if fnmatch(page, entry) and page not in named and entry.count("/") == page.count("/")]
            named.update(some)
            return some
        ((title, inside),) = entry.items()
        if isinstance(inside, str):
            return [entry]
        inside = [found for one in inside for found in expand(one)]
        return [{title: inside}] if inside else []

    return [found for entry in entries for found in expand(entry)]


def _leaves(entries: list[Any]) -> list[str]:
    return [
        leaf
        for entry in entries
        for inside in (entry.values() if isinstance(entry, dict) else [entry])
        for leaf in ([inside] if isinstance(inside, str) else _leaves(inside))
    ]


def finished(page: str, depth: int) -> str:
    """A built page with formulas as MathML, and without what would be fetched from elsewhere."""
    page = page.replace(SHIM, "../" * depth + "assets/frame-worker.js")
    page = re.sub(
        r'<span class="arithmatex">\\\((.*?)\\\)</span>', lambda found: formula(found[1], "inline"), page, flags=re.DOTALL
    )
    page = re.sub(
        r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', lambda found: formula(found[1], "block"), page, flags=re.DOTALL
    )
    page = page.replace("<th></th>", "<td></td>")  # a header without a word is none
    # Two regions of one name cannot be told apart by a screen reader.
    return page.replace('class="md-path" aria-label="Navigation"', 'class="md-path" aria-label="Path"')


def formula(latex: str, display: str) -> str:
    """A formula as MathML, which browsers draw themselves."""
    return convert(html.unescape(latex).strip(), display=display)


def demo() -> Path:
    """The report of `gevaldi demo`, which is not computed again if it is there."""
    folder = "build/demo"  # relative, because the report shows it
    subprocess.run([sys.executable, "-m", "gevaldi", "demo", "--out", folder], cwd=ROOT, check=True)
    return ROOT / folder / "report.html"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the documentation site.")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs", help="a folder, which is emptied first")
    parser.add_argument("--report", type=Path, help="a report to show on the home page; by default that of `gevaldi demo`")
    chosen = parser.parse_args()
    print(build(chosen.out, chosen.report or demo()))
