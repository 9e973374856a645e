"""Where and how to compute rows: choices beside the spec, on which rows of small networks do not depend."""

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
        engine: where to compute rows, an engine or its name such as "ray,workers=4"; None for this process.
        address: address of the cluster, if the engine is given by name.
        progress: whether to show a progress bar; None to show it on a terminal only.
        rows: computes rows while the engine is open.
        threads: processor threads of the open engine; None if the run's plan sets them.
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
        """Yields a copy with its engine open until the context exits.

        An engine that is already open stays open, so several runs can share it.

        Raises:
            UnknownName, SpecError: the engine does not exist, or does not accept these options.
            EngineError: a cluster does not answer.
        """
        if self.rows:
            yield self
            return
        from gevaldi.engines import engine as engine_named

        chosen = engine_named(self.engine, self.address) if isinstance(self.engine, str | None) else self.engine
        with chosen.open() as rows:
            yield replace(self, rows=rows, threads=getattr(chosen, "threads", None))
