"""What was said of real pictures, and by a referee: damaged, foreign or other than it is, also where the record fits it."""

import hashlib
import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from hostile import seeds
from hostile.case import Case
from hostile.records import changed, damaged
from hostile.rows import altered


def make(chance: random.Random, folder: Path) -> Case:
    run = folder / "run"
    shutil.copytree(seeds.evaluated(), run)
    audit, referee = run / "audit.parquet", run / "referee.json"
    kind = chance.random()
    if kind < 0.15:
        audit.write_bytes(damaged(chance, audit.read_bytes()))
    elif kind < 0.2:
        audit.unlink()
        chance.choice((audit.mkdir, lambda: audit.symlink_to("nowhere"), lambda: audit.symlink_to("/dev/zero")))()
    elif kind < 0.35:
        referee.write_bytes(damaged(chance, referee.read_bytes()))
    elif kind < 0.5:
        referee.write_text(json.dumps(changed(chance, json.loads(referee.read_text()))))
    else:
        pq.write_table(altered(chance, pq.read_table(audit)), audit)
    if chance.random() < 0.7 and audit.is_file():
        record = json.loads((run / "run.json").read_text())
        record["pictures"] = {"sha256": hashlib.sha256(audit.read_bytes()).hexdigest()}
        (run / "run.json").write_text(json.dumps(record))
        seeds.adopted(run)
        if chance.random() < 0.8:
            referee.unlink()
    return Case(
        chance.choice((("report", "run"), ("report", "run"), ("verify", "run"), ("referee", "run", "bundled:mnist-pooled")))
    )
