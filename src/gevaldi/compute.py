"""Where and how rows are computed: what a user chooses beside the spec; rows of small networks do not depend on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gevaldi.engines.base import ComputeRows, Engine


@dataclass(frozen=True)
class Compute:
    """The device, the batch size, the engine and the progress bar of one or several runs.

    Attributes:
        device: auto, cpu, cuda, cuda:1, mps.
        batch_size: samples searched together; None to let the run choose.
        engine: where rows are computed, an engine or its name such as "ray,workers=4"; None for this process.
        address: of a cluster, for an engine that is named.
        progress: whether to show a progress bar; None to show it on a terminal only.
        rows: what the engine computes rows with while it is open.
        threads: of the processor that the open engine computes with; None where the plan of the run says it.
    """

    device: str = "auto"
    batch_size: int | None = None
    engine: "str | Engine | None" = None
    address: str | None = None
    progress: bool | None = None
    rows: "ComputeRows | None" = None
    threads: int | None = None

    @contextmanager
    def open(self) -> Iterator["Compute"]:
        """Yields the same with its engine open, for as many runs as are computed before the context exits.

        An engine that is open already stays open, so several runs can share one.

        Raises:
            UnknownName, SpecError: there is no such engine, or it does not take these options.
            EngineError: a cluster does not answer.
        """
        if self.rows:
            yield self
            return
        from gevaldi.engines import engine as engine_named

        chosen = engine_named(self.engine, self.address) if isinstance(self.engine, str | None) else self.engine
        with chosen.open() as rows:
            yield replace(self, rows=rows, threads=getattr(chosen, "threads", None))
