"""Connects to a Ray cluster, a new one on this machine or an existing one; quiet, and with clear errors if none answers."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gevaldi.engines.base import EngineError
from gevaldi.errors import MissingExtra

SECONDS = 10.0  # that an address has to answer
OBJECT_STORE = 200_000_000  # bytes of a new cluster's object store, which holds little, since rows are fetched at once


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster to which this program is connected.

    Attributes:
        ray: the package.
        lifelines: hosts and ports of the head and of this program's node; Ray ends a program that loses one of them.
    """

    ray: Any
    lifelines: tuple[tuple[str, int], ...]

    def answers(self) -> bool:
        """Whether the cluster still answers. Does not use Ray, which ends a program whose cluster is gone."""
        try:
            for lifeline in self.lifelines:
                socket.create_connection(lifeline, SECONDS).close()
        except OSError:
            return False
        return True


def address_of(address: str | None) -> str:
    """The given address, or RAY_ADDRESS, or a cluster of this machine alone."""
    return address or os.environ.get("RAY_ADDRESS") or "local"


def import_ray(logs: bool) -> Any:
    """The package ray, without its logs unless they are requested.

    Raises:
        MissingExtra: the package is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not logs:
        logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        import ray
    except ImportError:
        raise MissingExtra("ray", "The engine ray", "ray") from None
    return ray


@contextmanager
def connect(address: str | None, cores: int, largest: int, logs: bool) -> Iterator[Cluster]:
    """The cluster at an address, or else a new one on this machine that ends with the context.

    A program that has already initialised Ray keeps its cluster, which must be the requested one.

    Args:
        address: HOST:PORT, ray://HOST:PORT or auto; None for RAY_ADDRESS, or else this machine.
        cores: cores of a new cluster.
        largest: bytes of the largest object that must fit.
        logs: whether to show the output of workers.

    Raises:
        EngineError: the address does not answer, its cluster cannot be used from here, or this program is in another one.
    """
    ray = import_ray(logs)
    if ray.is_initialized():
        check_connected(address)
        yield Cluster(ray, lifelines(ray, address))
        return
    address = address_of(address)
    check_answers(address)
    quiet: dict[str, Any] = {"log_to_driver": logs, "logging_level": logging.INFO if logs else logging.ERROR}
    if address == "local":
        store = max(OBJECT_STORE, 2 * largest)
        quiet |= {"num_cpus": cores, "include_dashboard": False, "object_store_memory": store}
    try:
        with preserve_handler(signal.SIGTERM):
            ray.init(address, **quiet)
    except Exception as error:  # of many kinds, some of them of gRPC
        ray.shutdown()
        raise EngineError(_connection_error(address, error)) from error
    try:
        yield Cluster(ray, lifelines(ray, address))
    finally:
        ray.shutdown()


@contextmanager
def preserve_handler(number: int) -> Iterator[None]:
    """Restore a signal's handler afterwards, since `ray.init` sets one that ends the program."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, before)


def lifelines(ray: Any, address: str | None) -> tuple[tuple[str, int], ...]:
    """The hosts and ports on which this program's connection to a cluster depends."""
    from ray.util.client import ray as client

    if client.is_connected():
        return (host_and_port(address),) if address and address.startswith("ray://") else ()
    own = ray.get_runtime_context().get_node_id()
    mine = next(node for node in ray.nodes() if node["NodeID"] == own)
    return host_and_port(ray.get_runtime_context().gcs_address), (mine["NodeManagerAddress"], mine["NodeManagerPort"])


def check_connected(address: str | None) -> None:
    """Refuse an address if this program is connected to another cluster.

    Raises:
        EngineError: it is; a program can be in only one cluster.
    """
    import ray
    from ray.util.client import ray as client

    far = client.is_connected()
    mine = "a cluster by ray://" if far else ray.get_runtime_context().gcs_address
    if address in (None, "auto", "local") or (address.startswith("ray://") if far else _same(address, mine)):
        return
    raise EngineError(
        f"This program is already connected to {mine}, but {address} was given. Leave the address out, or call ray.shutdown() "
        "first."
    )


def _same(address: str, other: str) -> bool:
    """Whether both name the same port of the same host."""
    (host, _, port), (host_of_other, _, port_of_other) = address.rpartition(":"), other.rpartition(":")
    try:
        return port == port_of_other and socket.gethostbyname(host) == socket.gethostbyname(host_of_other)
    except OSError:
        return False


def host_and_port(address: str) -> tuple[str, int]:
    """The host and the port of an address.

    Raises:
        EngineError: it is not an address of a cluster.
    """
    parts = urlsplit(address if "://" in address else f"//{address}")
    with suppress(ValueError):  # a port that is not a number
        if parts.hostname and parts.scheme in ("", "ray"):
            return parts.hostname, parts.port or (10001 if parts.scheme == "ray" else 6379)
    raise EngineError(
        f"{address!r} is not an address of a Ray cluster. Give HOST:PORT, such as 10.0.0.1:6379, on one of its nodes; "
        "ray://HOST:10001 from elsewhere; or auto for the cluster that this machine belongs to."
    )


def check_answers(address: str) -> None:
    """Refuse an address that does not answer; Ray itself would try for minutes.

    Raises:
        EngineError: the address is invalid or does not answer in time; the message gives remedies.
    """
    if address in ("local", "auto"):  # Ray resolves these at once
        return
    try:
        socket.create_connection(host_and_port(address), SECONDS).close()
    except (OSError, UnicodeError) as error:  # the latter for an invalid host name
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise EngineError(
            f"No Ray cluster answers at {address}: {why}. Is it running? On its head node, `ray status` shows it, and `ray start "
            "--head` starts one. HOST:6379 is the address for programs on its nodes, ray://HOST:10001 for others; does a firewall "
            "block that port?"
        ) from None


def _connection_error(address: str, error: Exception) -> str:
    """Ray's message, and what may help."""
    message = " ".join(str(error).split()) or type(error).__name__
    if address == "auto" and isinstance(error, ConnectionError):
        return (
            "No Ray cluster runs on this machine. Start one with `ray start --head` (and `ray start --address=HEAD:6379` on each "
            "other node), give the --address of one, or leave --address out to use this machine alone."
        )
    helps = (
        " Does it require a token? Then set RAY_AUTH_MODE=token here, too."
        if "ray://" in address
        else " A program outside the cluster's nodes reaches it at ray://HOST:10001."
    )
    mine = f"Python {sys.version.partition(' ')[0]}"
    return f"The Ray cluster at {address} cannot be used from here ({mine}): {message}{helps}"
