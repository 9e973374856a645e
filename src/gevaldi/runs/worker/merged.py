"""Several searches at once, for classifiers that answer over a network: while one search waits for an answer, others compute."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

from torch import Tensor

from gevaldi.objective import Evaluate, Evaluation

Item = TypeVar("Item")


class Stopped(BaseException):
    """Nobody needs the results of a search any more. No error of a network, so that nothing tries its samples again."""


def merged(searches: Sequence[Iterable[Item]], stop: Event) -> Iterator[Item]:
    """The items of several searches as they finish, each search by a thread of its own.

    Args:
        searches: iterated to their ends, or to the first error of any.
        stop: set at the end, by an error or by Ctrl-C; the searches must then raise `Stopped`, since their threads are waited for.
    """
    finished: SimpleQueue[Item | Future[None]] = SimpleQueue()

    def drain(search: Iterable[Item]) -> None:
        for item in search:
            finished.put(item)

    with ThreadPoolExecutor(len(searches)) as pool:
        try:
            running = {pool.submit(drain, search) for search in searches}
            for future in running:
                future.add_done_callback(finished.put)
            while running:
                item = finished.get()
                if isinstance(item, Future):
                    running.remove(item)
                    item.result()
                else:
                    yield item
        finally:
            stop.set()


def until(stop: Event, evaluate: Evaluate) -> Evaluate:
    """The same evaluation, which raises `Stopped` once `stop` is set."""

    def evaluated(*samples: Tensor) -> Evaluation:
        if stop.is_set():
            raise Stopped
        return evaluate(*samples)

    return evaluated
