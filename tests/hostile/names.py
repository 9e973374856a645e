"""Names of all kinds of things that are markup, paths, schemes, formulas, marks, half letters, too long, reserved or nothing."""

import json
import random
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from hostile import seeds
from hostile.case import Case

NAMES = (
    "../../untouched/x", "../untouched", "/etc/x", "..", ".", "", "~", "a/b", "a\\b", "C:\\x", "\\\\host\\x",
    "file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "s3://bucket/x", "//host/x", "x?y#z", "%2e%2e%2fx",
    "https://example.org", "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</title>", "</script>",
    "<!--", "]]>", "&amp;", "{{ 7 * 7 }}", "{% raw %}", "`x`", "[x](javascript:y)", "| a | b |", "# x", "---", "$a_b^{",
    "[bold]x[/bold]", "[/x]", "\\frac{", "%s %d {0} {x}", "=1+1", "+1", "-1", "-x", "--help", "@sum(1)", "\t=1", "\r=1",
    "＝1", "'=1", "a;=1", "a,b", 'a"b', "a\r\n=1", "\u202etxt.exe", "\u2066x", "\x1b[31mx", "\x00", "a\x00b", "\x07",
    "\u2028", "\ufeffx", "\ud800", "a\udfffb", "\U0010ffff", "́", "CON", "con.txt", "nul", "COM1", "index.html",
    "paths.csv", "run.json", "sweep.yaml", "samples", "report.html", "x" * 300, "é" * 200, "x" * 70_000, "数" * 40, "A",
    "a", "İ", "ı", "ß", "ss", " ", "  a  b ", "a.", "a ", "-", "_", "object:x", "null", "true", "1e3", "{replicate}",
    "0", "nan", "all", "both",
)  # fmt: skip
NETS = """
import json, torch, gevaldi
from pathlib import Path
from torch import nn

LABELS = json.loads(Path("labels.json").read_text())

def net(seed=0, title=""):
    torch.manual_seed(seed)
    return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(16, len(LABELS))), labels=LABELS).eval()

def broken(title=""):
    raise RuntimeError(title)

def decoder(title=""):
    torch.manual_seed(9)
    made = nn.Sequential(nn.Linear(3, 16), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 4)))
    return gevaldi.generator(made, latent=3).eval()
"""
RUNS = 12  # that are made once, each with names of its own
FORMATS = ("imagefolder", "parquet", "datasets", "fiftyone", "label-studio")
FIGURES = ("samples", "filmstrip", "confusion", "divergence", "typicality", "kinds", "delta-z")


def make(chance: random.Random, folder: Path) -> Case:
    _run(0)
    (folder / "untouched").mkdir()
    (folder / "untouched" / "x").write_text("of somebody else")
    made = chance.choice((_experiment, _experiment, _sweep, _report, _export, _export, _labels, _figure, _compare, _claims))
    return Case(tuple(word.replace("\0", "") for word in made(chance, folder)))  # no command line holds the byte zero


def _name(chance: random.Random) -> str:
    """One of the names, one of two together, or letters of all kinds."""
    kind = chance.random()
    if kind < 0.7:
        return chance.choice(NAMES)
    if kind < 0.85:
        return chance.choice(NAMES)[:100] + chance.choice(NAMES)[:100]
    return "".join(chr(chance.randrange(chance.choice((0x80, 0x3000, 0x110000)))) for _ in range(9))


def _file_name(chance: random.Random) -> str:
    """A name that a file of this machine can have."""
    name = _name(chance).replace("/", "-").replace("\0", "")
    short = name.encode(errors="replace")[:80].decode(errors="ignore").lstrip("-.")
    return "x" if short in ("", "untouched", "out") else short


def _file(chance: random.Random, folder: Path, content: Any) -> str:
    path = folder / f"{_file_name(chance)}.yaml"
    path.write_text(json.dumps(content))  # which is YAML too, and holds half letters
    return path.name


def _nets(chance: random.Random, folder: Path) -> None:
    (folder / "nets.py").write_text(NETS)
    (folder / "labels.json").write_text(json.dumps([_name(chance) for _ in range(chance.choice((2, 3, 7)))]))


def _model(chance: random.Random, kind: str) -> str:
    title = _name(chance)[:500].replace("'", "")
    return f"python:nets.py:{kind}" + chance.choice(
        ("", f",title='{title}'", f",seed={chance.randrange(3)}" if kind == "net" else "")
    )


def _settings(chance: random.Random) -> dict[str, Any]:
    return {"samples": 1, "audited": 1, "search": {"steps": 1}, "taxonomy": chance.choice(("none", "auto"))}


def _experiment(chance: random.Random, folder: Path) -> list[str]:
    _nets(chance, folder)
    models = {"a": _model(chance, "net"), _name(chance): _model(chance, "net"), "g": _model(chance, "decoder")}
    good = chance.random() < 0.5
    names = ["a (b)"] if good else [_name(chance) for _ in range(chance.choice((1, 2)))]
    runs = {name: {"first": "a", "second": chance.choice([*models])} for name in names}
    content = {"title": _name(chance), "question": _name(chance), "models": models, "runs": runs}
    content["settings"] = _settings(chance) | {"generator": "g"}
    content["replicates"] = chance.choice((1,) * 9 + (2,))
    words = ["experiment", _file(chance, folder, content), *_out(chance)]
    return [
        *words,
        *chance.choice(([], ["--only", _name(chance)], ["--only", names[0]], ["--model", f"a={_model(chance, 'net')}"])),
    ]


def _sweep(chance: random.Random, folder: Path) -> list[str]:
    _nets(chance, folder)
    names = {_name(chance): _model(chance, chance.choice(("net", "net", "broken"))) for _ in range(2)}
    content = {
        "title": _name(chance), "question": _name(chance), "generator": _model(chance, "decoder"), "settings": _settings(chance),
        "classifiers": chance.choice((names, names, [*names.values()])),
    }  # fmt: skip
    if chance.random() < 0.2:
        content["classes"] = {_name(chance): {_name(chance): _name(chance)}}
    return ["sweep", _file(chance, folder, content), *_out(chance), *chance.choice(([], [], ["--only", _name(chance)]))]


def _out(chance: random.Random) -> list[str]:
    return chance.choice(([], ["--out", "out"], ["--out", _file_name(chance)]))


def _compare(chance: random.Random, folder: Path) -> list[str]:
    _nets(chance, folder)
    models = [_model(chance, "net"), _model(chance, "net"), "-g", _model(chance, "decoder")]
    return ["compare", *models, "-n", "1", "--steps", "1", "--set", "audited=1", "--taxonomy", "none", "--out", _file_name(chance)]


def _report(chance: random.Random, folder: Path) -> list[str]:
    return ["report", _copied(chance, folder), *chance.choice(([], ["--out", _file_name(chance)]))]


def _export(chance: random.Random, folder: Path) -> list[str]:
    words = ["export", _copied(chance, folder), "--to", chance.choice((*FORMATS, _name(chance)))]
    words += ["--label", chance.choice(("first", "second", "agreed", "agreed", "condition", _name(chance)))]
    words += chance.choice(([], [], ["--where", f"first_end!={_name(chance)}"], ["--pictures", "both"]))
    return [*words, *_out(chance)]


def _labels(chance: random.Random, folder: Path) -> list[str]:
    run, file = _copied(chance, folder), f"{_file_name(chance)}.csv"
    quoted = [f'"{_name(chance)}"' if chance.random() < 0.5 else _name(chance) for _ in range(2)]
    text = chance.choice(("index,label\n", "index,label,stage\n", "\ufeffindex,label\n")) + f"0,{quoted[0]}\n1,{quoted[1]},end\n"
    (folder / file).write_bytes(text.encode(errors="surrogatepass"))
    return ["export", run, "--to", chance.choice(FORMATS), "--label", file, *_out(chance)]


def _figure(chance: random.Random, folder: Path) -> list[str]:
    run, name = _copied(chance, folder), chance.choice((*FIGURES, _name(chance)))
    words = ["--set", f"first={json.dumps(_name(chance)[:1000])}"] if name in ("samples", _name(chance)) else []
    ending = chance.choice(("png", "svg", "pdf"))
    return ["figure", run, name, *words, *chance.choice((["--format", ending], ["--out", f"{_file_name(chance)}.{ending}"]))]


def _claims(chance: random.Random, folder: Path) -> list[str]:
    """A folder of reproductions that somebody else made; the quick set leaves the world of the paper out."""
    (folder / "out").mkdir()
    name = _file_name(chance)
    rows = [",".join([chance.choice((name, _name(chance))), *(f'"{_name(chance)}"' for _ in range(9))]) for _ in range(2)]
    head = "figure,title,claim,world,verdict,measured,value,low,high,rests_on"
    (folder / "out" / f"{name}-claims.csv").write_bytes("\n".join([head, *rows]).encode(errors="surrogatepass"))
    world = chance.choice(("paper", _name(chance)))
    return ["reproduce", "figure-5", "--quick", "--world", world, "--out", "out"]


def _copied(chance: random.Random, folder: Path) -> str:
    name = _file_name(chance)
    shutil.copytree(_run(chance.randrange(RUNS)), folder / name)
    return name


@cache
def _run(number: int) -> Path:
    """A run whose classes have some of the names."""
    place = seeds.folder() / f"named-{number}"
    seeds.in_another_process(search, number, str(place))
    return place


def search(number: int, place: str) -> None:
    """A run whose classes have some of the names, as anybody makes it."""
    import torch
    from torch import nn

    import gevaldi

    chance = random.Random(f"run {number}")
    labels = [name for name in (_name(chance) for _ in range(chance.choice((3, 5, 12)))) if name.isprintable() or number % 3]
    labels = [label.encode(errors="replace").decode() for label in labels] + ["last"]

    def net(seed: int) -> "gevaldi.Classifier":
        torch.manual_seed(seed)
        return gevaldi.classifier(nn.Sequential(nn.Flatten(), nn.Linear(16, len(labels))), labels=labels).eval()

    decoder = nn.Sequential(nn.Linear(3, 16), nn.Sigmoid(), nn.Unflatten(1, (1, 4, 4)))
    generator = gevaldi.generator(decoder, latent=3).eval()
    gevaldi.compare(net(0), net(1), generator, samples=3, steps=2, audited=2, taxonomy="none", out=place, progress=False)
