"""Every command with any of its arguments and options, and values for them that are right, wrong, or none at all."""

import functools
import os
import random
from pathlib import Path
from typing import Any

from hostile.case import Case
from hostile.seeds import PAIR, SHORT, copied

NOWHERE = "127.0.0.1:9"  # where nobody answers, and says so at once
ENVIRONMENT = {
    "AWS_ENDPOINT_URL": f"http://{NOWHERE}",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "HTTP_PROXY": f"http://{NOWHERE}",
    "HTTPS_PROXY": f"http://{NOWHERE}",
    "RAY_ADDRESS": NOWHERE,
}
LONG = "x" * 300
HUGE = "9" * 300
# fmt: off
SURROGATES = (os.fsdecode(b"\xff\xfe"), "caf\udce9", "\ud800", "\udfff.json")
TEXTS = (
    "", " ", "  x", "-", "--", "-x", "---", "~", "~nobody/x", "*", "[", "]", "[]", "[1", "{}", '{"a": 1}', "{", "null", "true",
    "none", "\n", "a\nb", "\t", "\x1b[31mred", "\x00", "a\x00b", "é", "名前", "\u202eabc", "%s%n", "{0}", "$(true)", "=", ",",
    "a=", "=b", "a,b", "a,=,b", "a=b=c", LONG, "x" * 5000, ":", "::", "a:b", "a:b:c", "!", "'", '"', "<b>", "[bold]x", "[/]",
    "\\", "a;b", "a|b", "&a", "*a", "!!python/x",
)
PATHS = (
    ".", "..", "/", "missing", "missing/deeper", "file.txt", "file.txt/below", "folder", "locked", "fifo", "loop", "dangling",
    "run", "run/samples", "run/run.json", "run/spec.yaml", "run/report.html", "empty.yaml", "broken.yaml", "empty.json",
    "list.json", "/dev/null", "/dev/full", "/dev/zero", "/dev/tty", "/dev/fd/99", "/proc/self/mem", "/root/none", "x" * 255,
    "x" * 256, "x" * 250 + ".json", "x" * 245 + ".html", "/".join(["y" * 200] * 30), "new/" + "z" * 240, "a/../b", "new.json",
    "new.png", "new.yaml",
)
NUMBERS = (
    "0", "1", "2", "-1", "-0", "1.5", "1e3", "1e308", "1e309", "nan", "inf", "-inf", "9" * 30, HUGE, "9" * 5000, "٣", "²",
    "1_0", "0x1", " 3", "3 ", "99999", "99999999999", str(2**31), str(2**63), str(2**64), "1,2", "3,17", "1,,2", "1,-1",
    "1," + HUGE, "1/2", "",
)
SOURCES = (
    "bundled:", "bundled:mnist-strided", "bundled:mnist-vae", "bundled:mnist-digits", "bundled:mnist-strided,",
    "bundled:mnist-strided,x=1", "bundled:mnist-strided,=", "bundled:mnist-strided,seed", "bundled:mnist-poled", "bundled::",
    "bundled:a:b", "python:", "python:x", "python:file.txt:f", "python:missing.py:f", "python:models.py", "python:models.py:",
    "python:models.py:none", "python:models.py:number", "python:models.py:fails", "python:.:f", "python::f", "python:a b:c",
    "python:\x00:f", "python:models.py:f,a=", "python:os:getcwd", "folder:", "folder:folder", "folder:missing",
    "folder:file.txt", "folder:fifo", f"folder:{LONG}", "folder:\x00", "folder:loop", "tempered:bundled:mnist-strided",
    "tempered:bundled:mnist-strided,temperature=nan", "tempered:", "tempered:tempered:", "half:x",
    "pruned:bundled:mnist-strided,amount=9", f"quantised:bundled:mnist-strided,bits={HUGE}", "restricted:bundled:mnist-strided",
    "ensemble:", "ensemble:bundled:mnist-strided", "surrogate:bundled:mnist-strided", "onnx:file.txt", "onnx:",
    "torchscript:file.txt", "exported:fifo",
    *(f"{source}:{name}" for source in ("folder", "onnx", "python", "torchscript") for name in SURROGATES),
)
NAMES = (
    "kl", "renyi", "renyi,order=nan", f"renyi,order={HUGE}", "log-odds,this=1,that=2", "wasserstein", "adam",
    "adam,learning_rate=x", "langevin", "mnist-digits", "ilsvrc", "mnist-digits,x=1", "divergence", "samples,count=0",
    "samples,count=1", "all", "both", "filmstrip,index=" + "9" * 30, "imagefolder", "parquet", "label-studio", "datasets",
    "figure-2", "appendix-b", "digits", "png", "tiff", "cpu", "cuda:99", "meta", "local", "ray", "ray,workers=0",
    "ray,address=x", "order=forward", "index<1", "status!=", "divergence_end>=nan", f"index={HUGE}", "a<b<c", "samples=1",
    "search.steps=1", f"search.steps={HUGE}", "search.steps=nan", "search=", "search.search.x=1", "a.b.c=1", "samples=[",
    "samples={}",
)
RIGHT: dict[str, tuple[str, ...]] = {
    "folder": ("run",), "run": ("run",), "first": PAIR[:1], "second": PAIR[1:2], "generator": PAIR[3:], "classifier": PAIR[:1],
    "pictures": ("bundled:mnist-digits", "end"), "to": ("parquet", "imagefolder", "label-studio"), "spec": ("run/spec.yaml",),
    "out": ("new", "new.json"),
}
# fmt: on
NO_DATA = ("missing", "folder", "file.txt", "", "fifo", "a\x00b", LONG, *SURROGATES)
NO_DEVICE = ("meta", "", "cuda:99", LONG, *SURROGATES)
BEFORE: dict[tuple[str, ...], tuple[str, ...]] = {("compare",): SHORT}  # what other words may change
WRONG = {  # an option of commands that would take long if all were right
    ("demo",): ("--out", ("file.txt", "folder", "file.txt/below", LONG, "a\x00b")),
    ("train", "mnist"): ("--data", NO_DATA),
    ("train", "ladder"): ("--data", NO_DATA),
    ("reproduce",): ("--device", NO_DEVICE),
    ("experiment",): ("--device", NO_DEVICE),
    ("sweep",): ("--device", NO_DEVICE),
}
MODELS = """
number = 3
def none(): return None
def fails(): raise OSError("no")
"""
FILES = {"file.txt": "words", "empty.yaml": "", "broken.yaml": "{[", "empty.json": "", "list.json": "[1]", "models.py": MODELS}


@functools.cache
def addresses() -> tuple[str, ...]:
    """Some of each protocol that fsspec knows, and of those that nobody knows."""
    from fsspec import available_protocols

    forms = ("://", ":///", "://run", f"://{NOWHERE}/run", "://bucket/run/deeper", "::run", ":run", f"://user:word@{NOWHERE}/a")
    odd = (
        "://",
        "a://b",
        "a::b",
        "1://b",
        "s3",
        "s3:",
        "s3:/",
        "S3://b/r",
        "zip://x::file.txt",
        "simplecache::memory://x",
        "http://[",
    )
    odd += (f"memory://{LONG}", "data:,x", "data:text/plain;base64,!", "file:///proc/x", "file://folder", "memory://a\x00b")
    odd += tuple(f"{protocol}://b/{name}" for protocol in ("memory", "s3", "file") for name in SURROGATES)
    return (*(protocol + form for protocol in sorted(available_protocols()) for form in forms), *odd)


@functools.cache
def commands() -> tuple[tuple[tuple[str, ...], Any], ...]:
    """All commands, by their words."""
    from typer.main import get_command

    from gevaldi.cli.main import app

    def below(words: tuple[str, ...], found: Any) -> list[tuple[tuple[str, ...], Any]]:
        inner = getattr(found, "commands", None)
        return [(words, found)] if inner is None else [pair for name, one in inner.items() for pair in below((*words, name), one)]

    return tuple(pair for pair in below((), get_command(app)) if pair[0] != ("doctor",))  # which takes nothing, and takes long


def value(chance: random.Random, name: str) -> str:
    """One for an argument or an option of that name."""
    if name in RIGHT and chance.random() < 0.6:
        return chance.choice(RIGHT[name])
    return chance.choice(chance.choice((TEXTS, PATHS, PATHS, NUMBERS, NUMBERS, SOURCES, NAMES, SURROGATES, addresses())))


def make(chance: random.Random, folder: Path) -> Case:
    put(folder)
    words, command = chance.choice(commands())
    given = [*words, *BEFORE.get(words, ())]
    wrong, how = WRONG.get(words, ("", ()))
    for parameter in command.params:
        flags = [flag for flag in parameter.opts if flag.startswith("-")]
        often = 0.95 if parameter.required or parameter.name in RIGHT else 0.7 if not flags else 0.15
        if wrong in flags or chance.random() > often:
            continue
        times = chance.randint(1, 3) if parameter.multiple or parameter.nargs == -1 else 1
        if getattr(parameter, "is_flag", False):
            given.append(chance.choice([*flags, *parameter.secondary_opts]))
        else:
            given += [word for _ in range(times) for word in (*flags[:1], value(chance, parameter.name))]
    if chance.random() < 0.05:
        given.insert(chance.randint(0, len(given)), value(chance, ""))
    return Case((*given, wrong, chance.choice(how)) if wrong else tuple(given), ENVIRONMENT)


def put(folder: Path) -> None:
    """Files of every kind, by the names that `PATHS` has."""
    copied(folder / "run")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "folder").mkdir()
    (folder / "folder" / "inner.txt").write_text("words", encoding="utf-8")
    (folder / "locked").mkdir(mode=0)
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
