"""`python -m hostile [COUNT] [--kind KIND ...] [--first SEED]`: so many inputs of each kind; exit code 1 if one broke a law."""

import argparse
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile.harness import Outcome, kinds, outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100, help="inputs of each kind")
    parser.add_argument("--kind", action="append", choices=kinds(), help="only this kind; may be repeated")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    parser.add_argument("--verbose", action="store_true", help="show every input with what was answered")
    chosen = parser.parse_args()
    begin, found = time.monotonic(), defaultdict[str, list[Outcome]](list)
    pairs = ((kind, chosen.first + i) for i in range(chosen.count) for kind in chosen.kind or kinds())
    for outcome in outcomes(pairs, chosen.workers):
        found[outcome.kind].append(outcome)
        if outcome.broken or chosen.verbose:
            print(f"{outcome.kind} {outcome.seed}: {'; '.join(outcome.broken) or outcome.code}: gevaldi {outcome.words}")
            print("    " + outcome.said.strip()[-3000:].replace("\n", "\n    "), flush=True)
    print(f"{'kind':<16} {'inputs':>7} {'refused':>8} {'mean':>8} {'slowest':>8} {'largest':>8}  broken")
    for kind, those in sorted(found.items()):
        refused, seconds = sum(o.code == 2 for o in those), [o.seconds for o in those]
        laws = ", ".join(f"{n} x {law}" for law, n in Counter(law for o in those for law in o.broken).items())
        peak = max(o.peak for o in those) / 2**30
        numbers = f"{sum(seconds) / len(those):>6.2f} s {max(seconds):>6.1f} s {peak:>5.1f} GB"
        print(f"{kind:<16} {len(those):>7,} {refused:>8,} {numbers}  {laws or 'none'}")

    total = sum(map(len, found.values()))
    print(
        f"{total:,} inputs in {time.monotonic() - begin:.0f} s, {sum(bool(o.broken) for v in found.values() for o in v):,} broken"
    )
    return int(any(outcome.broken for those in found.values() for outcome in those))


if __name__ == "__main__":
    sys.exit(main())
