"""The number of processor threads for networks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

FIXING = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # environment variables with which a user fixes the number


def usable_cores() -> int:
    """The number of logical cores on which this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_from_environment() -> int | None:
    """The number of threads if the environment fixes it, otherwise None."""
    return torch.get_num_threads() if any(os.environ.get(name) for name in FIXING) else None


@contextmanager
def in_threads(count: int | None) -> Iterator[None]:
    """Compute with `count` threads, at most one per usable core; unchanged if `count` is None or the environment fixes it."""
    before = torch.get_num_threads()
    if count is not None and threads_from_environment() is None:
        torch.set_num_threads(min(count, usable_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)
