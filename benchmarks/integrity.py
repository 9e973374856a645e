"""What notices damage to a part, and what that costs: flipped bits that read back as other values, bytes, and seconds of reading.

A part of the bundled pair's run is written with and without checksums of its pages; 1,500 single bits, drawn by seed, are flipped
in each, one at a time. A flip is silent if all rows can be read and one is not what it was. Then all parts of a run of made-up rows
(of `large_runs.py`) are read with and without being compared with the hashes in their names, in turn, five times. Prints rows of a
Markdown table.

    python benchmarks/integrity.py [ROWS]
"""

import hashlib
import io
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from large_runs import written

import gevaldi
from gevaldi.runs import _part
from gevaldi.runs.store.run import Run

FLIPS, TURNS = 1_500, 5


def a_part(folder: Path) -> pa.Table:
    names = ("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae")
    run = gevaldi.compare(*names, out=folder, samples=32, audited=10, progress=False, device="cpu").run
    return pq.read_table(run.parts()[0])


def serialised(table: pa.Table, checksums: bool) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=checksums)
    return sink.getvalue()


def silent(content: bytes, expected: pa.Table, checksums: bool, digest: str | None = None) -> int:
    """How many flips are, where the bytes of a file must also have a hash, if one is given."""
    chance, found = random.Random(0), 0
    for _ in range(FLIPS):
        place = chance.randrange(len(content))
        flipped = content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
        if digest and hashlib.sha256(flipped).hexdigest() != digest:
            continue
        try:
            with pq.ParquetFile(io.BytesIO(flipped), page_checksum_verification=checksums) as file:
                found += not file.read().equals(expected)
        except (OSError, ValueError, MemoryError, pa.ArrowException):
            continue
    return found


def seconds(run: Run) -> tuple[float, float]:
    """To hash all parts, and to read all of their rows."""
    _part._checked.clear()
    begin = time.perf_counter()
    for part in run.parts():
        _part.check_whole(part)
    middle = time.perf_counter()
    for _ in run.tables():
        pass
    return middle - begin, time.perf_counter() - middle


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = a_part(Path(folder) / "run")
        plain, checked = serialised(table, False), serialised(table, True)
        print(f"| bits flipped in a part of {len(table)} rows, silent | none: {silent(plain, table, False):,} of {FLIPS:,} |")
        print(
            f"| | checksums of pages: {silent(checked, table, True):,} of {FLIPS:,}, {len(checked) / len(plain) - 1:.2%} larger |"
        )
        digest = hashlib.sha256(checked).hexdigest()
        print(f"| | and the hash in the name: {silent(checked, table, True, digest):,} of {FLIPS:,} |")
        run = written(Path(folder) / "large", rows)
        taken = [seconds(run) for _ in range(TURNS)]
        size = sum(part.stat().st_size for part in run.parts()) / 1e6
        ratio = statistics.median(hashing / reading for hashing, reading in taken)
        print(f"| hashing all parts of {rows:,} rows ({size:.0f} MB), beside reading them | {ratio:.1%} of the time |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
