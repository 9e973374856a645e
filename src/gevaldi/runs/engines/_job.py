"""What a worker of a cluster is told, and what it answers; all of it is sent from one process to another."""

from dataclasses import dataclass
from importlib.metadata import version

from gevaldi.runs.store import Run
from gevaldi.taxonomy import Taxonomy

PACKAGES = ("gevaldi", "torch")  # of another version, a worker would compute other rows


def versions() -> dict[str, str]:
    """What has to be the same on all machines of a run; builds of one version for other devices are."""
    return {package: version(package).partition("+")[0] for package in PACKAGES}


@dataclass(frozen=True)
class Job:
    """All that a worker is told, once.

    Attributes:
        run: the run as it was opened; its record says how rows are computed.
        names: of the three networks; None for one that is an object of the calling program.
        objects: these objects, pickled, by their places among the three.
        taxonomy: the hierarchy of the classes, where it is the user's own.
        device: what to compute on.
        batch_size: samples searched together.
        threads: of the processor, for this worker.
        token: the name of a file in the run's folder, by which a worker knows that it sees the folder.
        folder: the current one of the calling program, from which relative paths start.
        path: where the calling program looks for modules.
        versions: those of the calling program.
    """

    run: Run
    names: tuple[str | None, ...]
    objects: bytes
    taxonomy: Taxonomy | None
    device: str
    batch_size: int
    threads: int
    token: str
    folder: str
    path: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Arrival:
    """A worker that is ready, and the node it is on."""

    node: str
    host: str


@dataclass(frozen=True)
class Trouble:
    """Why a worker cannot work, and on which host and node: an answer and no exception, so that any program can read it."""

    host: str
    why: str
    node: str = ""

    def in_words(self) -> str:
        """The same, as a user is told."""
        return f"The worker on {self.host} cannot work. {self.why}"


@dataclass(frozen=True)
class Part:
    """The rows of a chunk, in a file of the run's folder.

    Attributes:
        count: how many.
        name: the file's.
        content: what is to be written there; None where the worker has done it.
    """

    count: int
    name: str
    content: bytes | None
