"""The README of every export: its contents, how to open it, and its columns."""

from collections.abc import Sequence
from typing import Any

from gevaldi.exports._columns import columns_of
from gevaldi.exports.base import Export
from gevaldi.names import full_name, plain


def readme(about: Export, documentation: str, notes: Sequence[str]) -> str:
    """The README in Markdown; its front matter tells `datasets` which files hold the data."""
    files = "data.parquet" if (about.folder / "data.parquet").exists() else "**"
    said, bar = "".join(f" {note}" for note in notes), r"\|"
    models = about.record.get("models", {})
    named = {
        side: full_name(models.get(side, {}).get("name") or getattr(about.spec, side)) for side in ("first", "second", "generator")
    }
    columns = "\n".join(
        f"| {name} | {column.meaning.replace('|', bar)} |" for name, column in columns_of(about.spec.set_sizes).items()
    )
    return f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: "{files}"
---

# Pictures on which two classifiers differ

GeValDi searched the latents of {_code(named["generator"])} for pictures on which the first classifier, {_code(named["first"])},
and the second, {_code(named["second"])}, differ most. These are {about.samples:,} samples of that search.{said} The pictures are
generated: nobody knows what one shows until somebody has looked at it, and a label is only as reliable as its source.

To reproduce the run: {_code(about.record.get("command", ""))}

## This format

{documentation}

## The columns

| column | meaning |
|---|---|
{columns}
"""


def _code(text: Any) -> str:
    """Any text as inline code on one line."""
    return "`" + plain(text, 500).replace("`", "'") + "`"
