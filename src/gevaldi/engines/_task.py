"""The task that runs on the machines of a cluster: computes a chunk of rows, with networks that its process loads once per run."""

import io
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.engines.base import Job, Task
from gevaldi.engines.local import compute
from gevaldi.errors import GevaldiError, RunFolderError, SpecError, describe_error
from gevaldi.progress import Bar
from gevaldi.runs.store.run import Run
from gevaldi.runs.store.schema import Row
from gevaldi.taxonomy import Taxonomy

if TYPE_CHECKING:
    import torch

    from gevaldi.runs.worker.setup import Models

PACKAGES = ("gevaldi", "torch")  # other versions of these would compute different rows


def versions() -> dict[str, str]:
    """The versions that must be the same on all machines of a run; builds of one version for other devices count as the same."""
    return {package: version(package).partition("+")[0] for package in PACKAGES}


@dataclass(frozen=True)
class Setup:
    """Everything that a process needs to compute rows of a run, sent once.

    Attributes:
        run: the open run; its record says how to compute rows.
        names: the names of the three networks; None for one that is an object of the calling program.
        objects: these objects, pickled, by their places among the three.
        taxonomy: the hierarchy of the classes, if it is the user's own.
        device: cpu or cuda.
        batch_size: samples searched together.
        threads: processor threads of each task.
        folder: the current folder of the calling program, to which paths are relative.
        path: the module search path of the calling program.
        versions: the versions of the calling program.
        task: what the rows are.
    """

    run: Run
    names: tuple[str | None, ...]
    objects: bytes
    taxonomy: Taxonomy | None
    device: str
    batch_size: int
    threads: int
    folder: str
    path: tuple[str, ...]
    versions: dict[str, str]
    task: Task = "samples"


@dataclass(frozen=True)
class Trouble:
    """Why a node cannot compute; a result and not an exception, so that any program can read it."""

    host: str
    node: str
    why: str

    def in_words(self) -> str:
        """The message for the user."""
        return f"The worker on {self.host} cannot run. {self.why}"


def compute_chunk(key: str, setup: list[Any], indices: list[int]) -> list[Row] | Trouble:
    """Compute the rows of some samples, as a Ray task; `setup` holds the reference of the `Setup` that `key` names."""
    import ray

    try:
        return process.rows(key, lambda: ray.get(setup[0]), indices)
    except Exception as error:
        host = f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"
        why = str(error) if isinstance(error, GevaldiError) else describe_error(error)
        return Trouble(host, ray.get_runtime_context().get_node_id(), why)


class Process:
    """The networks that this process has loaded, ready for the latest run whose rows it computed.

    Named networks that the next run also needs are not loaded again.
    """

    def __init__(self) -> None:
        self._key: str | None = None
        self._job: Job | None = None
        self._networks: dict[tuple[str, str, str], Any] = {}  # by kind, name, and the folder to which names are relative
        self._stack = ExitStack()

    def rows(self, key: str, setup: Callable[[], Setup], indices: Sequence[int]) -> list[Row]:
        """The rows of some samples of the run with this key.

        Raises:
            RunFolderError: this machine has other versions or networks than the program that began the run.
        """
        if key != self._key or not self._job:
            self._key, self._job = None, None
            self._stack.close()
            self._job = self._load(setup())
            self._key = key
        return [row for finished in compute(self._job, indices) for row in finished.rows()]

    def _load(self, setup: Setup) -> Job:
        import torch

        from gevaldi.runs.session import device_of, models_of
        from gevaldi.runs.worker.setup import prepare_torch

        check_versions(setup.versions)
        os.environ["OMP_NUM_THREADS"] = str(setup.threads)  # fixes their number
        torch.set_num_threads(setup.threads)
        if Path(setup.folder).is_dir():
            os.chdir(setup.folder)
        sys.path += [entry for entry in setup.path if entry not in sys.path and Path(entry).exists()]
        first, second, generator = self._three(setup)
        models = models_of(setup.run.spec, first, second, generator, device_of(setup.device), setup.run, setup.taxonomy)
        models = replace(
            models, plan=replace(models.plan, threads=setup.threads)
        )  # not the number of the machine that began the run
        self._stack.enter_context(prepare_torch(models))
        check_same(models, setup.run)
        return Job(setup.run, models, setup.names, setup.batch_size, Bar(False), setup.task)

    def _three(self, setup: Setup) -> list[Any]:
        from gevaldi.classifiers import load_classifier
        from gevaldi.generators import load_generator

        objects = unpickle_networks(setup.objects)
        loaded = {key: network for key, network in self._networks.items() if key[1] in setup.names}  # frees the others first
        self._networks = loaded
        three = []
        for place, (name, load) in enumerate(zip(setup.names, (load_classifier, load_classifier, load_generator), strict=True)):
            if name is None:
                three.append(load(objects[place]))
                continue
            key = ("generator" if place == 2 else "classifier", name, setup.folder)
            if key not in loaded:
                loaded[key] = load(name)
            three.append(loaded[key])
        return three


process = Process()


def check_versions(expected: dict[str, str]) -> None:
    """Refuse packages whose versions differ from the calling program's.

    Raises:
        RunFolderError: a version differs.
    """
    here = versions()
    if other := [name for name in expected if here[name] != expected[name]]:
        words = ", ".join(f"{name} {here[name]} here, {expected[name]} where the run was started" for name in other)
        raise RunFolderError(f"{words}: their rows would not match. Install the same version on every node.")


def check_same(models: "Models", run: Run) -> None:
    """Refuse networks that differ from those of a run.

    Raises:
        RunFolderError: a weight, a setting, a label or the hierarchy differs here.
    """
    from gevaldi.fingerprints import describe, differing

    for side, network in describe(models.first, models.second, models.generator, run.spec).items():
        if other := differing(network, run.record["models"][side]):
            words = {"sha256": "other weights", "settings": "other settings", "files": "another source"}
            raise RunFolderError(
                f"{network['name']} is not the {side} that the run was started with: "
                f"{', '.join(words.get(key, key) for key in other)}. Their rows would not match. Give every node the same files."
            )
    here, there = models.hierarchy.record() if models.hierarchy else {}, run.record.get("taxonomy") or {}
    if here.get("sha256") != there.get("sha256"):
        raise RunFolderError(f"The hierarchy of the classes here ({here.get('name')}) differs from the one of the run.")


def pickle_networks(objects: dict[int, Any]) -> bytes:
    """Pickle networks that are objects of this program, on the processor, for workers.

    Raises:
        SpecError: a network holds something that cannot leave this process.
    """
    import torch
    from ray import cloudpickle

    class OnTheProcessor(cloudpickle.Pickler):
        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, torch.Tensor) and thing.device.type != "cpu":
                return on_the_processor(thing).__reduce_ex__(4)
            return super().reducer_override(thing)

    sink = io.BytesIO()
    try:
        OnTheProcessor(sink).dump(objects)
    except Exception as error:
        raise SpecError(
            f"A network passed as an object cannot be sent to workers. {describe_error(error)}. Pass it by name, "
            "python:module:factory, or use the engine local."
        ) from error
    return sink.getvalue()


def on_the_processor(tensor: "torch.Tensor") -> "torch.Tensor":
    """A copy of a tensor or a parameter on the processor."""
    import torch

    copy = tensor.detach().cpu()
    return torch.nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, torch.nn.Parameter) else copy


def unpickle_networks(objects: bytes) -> dict[int, Any]:
    """The networks that the calling program pickled, by their places among the three.

    Raises:
        RunFolderError: they cannot be unpickled here.
    """
    import pickle

    try:
        networks: dict[int, Any] = pickle.loads(objects)
    except (ImportError, AttributeError) as error:
        raise RunFolderError(
            f"The networks were passed as objects, but their module cannot be imported here: {error}. Put that module "
            "where this node finds it, or pass the networks by name: python:module:factory."
        ) from error
    except Exception as error:  # whatever unpickling a user's networks may raise
        raise RunFolderError(
            f"The networks were passed as objects, but cannot be unpickled here: {describe_error(error)}. Pass them by name: "
            "python:module:factory."
        ) from error
    return networks
