"""Predictions in a file in place of a classifier."""

from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Table:
    """Predictions of any classifier in a file, for `gevaldi verdict` alone: `table:predictions.csv`, also Parquet, JSON lines, NPZ.

    One row a picture: its id, file or path, and its class (`class`, `label`, `prediction`), classes by rank (`top1`, `top2`, with
    `probability1`, ...), or a column of probabilities for each class. NPZ holds `ids` and `classes`, or `ids`, `probabilities` and
    the names of all `classes`. `id=COLUMN` and `class=COLUMN` name columns that are called otherwise, `classes=FILE` the classes in
    the order of their numbers (names, a list in brackets, or `imagenet`), `name=` what reports say. A picture of the pool that is
    missing is refused; with `partial=true` it counts as no answer, as a row without a class does.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(self, name: str, /, **options: Any) -> "Classifier":
        """Refuses: predictions cannot be searched.

        Raises:
            SpecError: always.
        """
        raise SpecError(
            f"table:{name} holds predictions, which have no gradients, so nothing can be searched with it: `gevaldi verdict` "
            "takes it, on the pool of pictures that it is about."
        )
