"""Access of figures to a run: names, rows, and the error messages for missing data."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from typing import Any

from gevaldi.errors import SpecError, UnknownName
from gevaldi.figures.base import NothingToDraw
from gevaldi.measures.predictions import rank
from gevaldi.names import plain, told_apart
from gevaldi.runs.near_duplicates import deduplicate
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import ORDERS, Row


def unit_of(run: Run) -> str:
    """The unit of the run's divergence."""
    return plain(run.record["divergence"]["unit"])


def models_of(run: Run) -> tuple[str, str]:
    """The shortest names that distinguish the first and the second classifier."""
    models = run.record["models"]
    return told_apart(models["first"]["name"], models["second"]["name"])


def is_number(value: Any) -> bool:
    """Whether an option is a whole number; a boolean is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def order_named(order: str | None) -> str | None:
    """The requested order, or None for both.

    Raises:
        UnknownName: there is no such order.
    """
    if order in (None, "both", *ORDERS):
        return None if order == "both" else order
    raise UnknownName("order", str(order), ["both", *ORDERS])


def again(run: Run) -> str:
    """How to repeat a run, in a sentence."""
    return f"Repeat the run: gevaldi compare --spec {run.folder / 'spec.yaml'} --out NEW_FOLDER"


def finished_rows(run: Run, order: str | None, columns: Sequence[str]) -> Iterator[Row]:
    """Some columns of the successful rows, of one order or of both, one by one.

    Raises:
        NothingToDraw: there are none.
    """
    met = False
    for row in run.each([*dict.fromkeys(["order", "status", *columns])]):
        if row["status"] != "failed" and order in (None, row["order"]):
            met = True
            yield row
    if not met:
        raise NothingToDraw(without_rows(run, order))


def without_rows(run: Run, order: str | None) -> str:
    """Why an order has nothing to draw, and what to do."""
    if order and order not in run.spec.searches:
        return f"The run in {run.folder} has no {order} searches, only {run.spec.orders} ones. Leave out order={order}."
    of = f" in the {order} order" if order else ""
    done = len(run.done())
    if done < run.total:
        state = f"has {done} of {run.total} rows and no sample{of} to draw"
        return f"The run in {run.folder} {state}. To continue it: gevaldi resume {run.folder}"
    return f"All samples{of} of the run in {run.folder} failed; its report says why: gevaldi report {run.folder}"


def chosen_rows(
    run: Run, index: Sequence[int] | int | None, count: int, order: str | None, columns: Sequence[str], distinct: bool = False
) -> list[Row]:
    """The rows with these indices, in that order; without indices, those with the largest divergence, largest first.

    Raises:
        SpecError: an index belongs to no row, to a failed row or to another order; or `count` is not a number from 1.
        NothingToDraw: every sample failed.
    """
    if index is None:
        if not is_number(count) or count < 1:
            raise SpecError(f"count={count} is invalid; expected a number of samples, at least 1.")
        rows: Iterable[Row] = finished_rows(run, order, ["index", "divergence_end"])
        if distinct:
            like = deduplicate(run).like
            rows = (row for row in rows if like[row["index"]] in (-1, row["index"]))
        numbers = [row["index"] for row in nlargest(count, rows, key=lambda row: rank(row["divergence_end"]))]
    else:
        numbers = [index] if isinstance(index, int) else list(index)
        _check_numbers(run, numbers, order)
    return run.some(numbers, columns)


def _check_numbers(run: Run, numbers: Sequence[Any], order: str | None) -> None:
    if not numbers:
        raise SpecError("index=[] is empty; expected the numbers of some samples, such as index=[3,7].")
    known = {row["index"]: row for row in run.some([n for n in numbers if is_number(n)], ["status", "order", "error"])}
    for number in numbers:
        row = known.get(number) if is_number(number) else None
        if row is None:
            met = [*run.done()]
            there = f"the run in {run.folder} has samples {met[0]} to {met[-1]}" if met else f"{run.folder} has no samples yet"
            raise SpecError(f"index={number} does not exist; {there}.")
        if row["status"] == "failed":
            raise SpecError(f"Sample {number} failed and has no picture: {plain(row['error'], 200)}. Choose another.")
        if order not in (None, row["order"]):
            raise SpecError(f"Sample {number} belongs to the {row['order']} order, not to order={order}. Leave one of them out.")
