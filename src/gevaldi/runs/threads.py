"""How many threads of the processor networks are computed with: what a user has fixed, what there is to choose from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

FIXING = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # variables of the environment


def usable_cores() -> int:
    """Cores that this process may run on, as the system counts them: two of a core that runs two threads."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fixed() -> bool:
    """Whether the environment or the program has said how many threads: torch itself takes all usable cores, or all real ones."""
    return any(os.environ.get(name) for name in FIXING) or torch.get_num_threads() not in (usable_cores(), _real_cores())


def _real_cores() -> int:
    """The same, with cores that run two threads counted once, where the system tells."""
    try:
        cores = os.sched_getaffinity(0)
        folders = (Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list") for core in cores)
        return len({folder.read_text(encoding="utf-8") for folder in folders})
    except (AttributeError, OSError):
        return max(1, usable_cores() // 2)


def candidates(device: torch.device) -> list[int]:
    """The numbers of threads that are tried, largest first; the one in use where it is fixed, or where the processor only waits."""
    if device.type != "cpu" or fixed():
        return [torch.get_num_threads()]
    cores = usable_cores()
    return sorted({1, max(1, cores // 2), cores}, reverse=True)


@contextmanager
def in_threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads for a while, at most one a usable core; as before where it is fixed, or None is given."""
    before = torch.get_num_threads()
    if count is None or fixed():
        yield
        return
    torch.set_num_threads(max(1, min(count, usable_cores())))
    try:
        yield
    finally:
        torch.set_num_threads(before)
