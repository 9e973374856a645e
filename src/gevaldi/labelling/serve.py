"""Serves the pages of one folder: the port, the lock, and a server in a thread of its own."""

import contextlib
import getpass
import html
import json
import os
import platform
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import MissingExtra, RunFolderError, SpecError
from gevaldi.labelling.assignment import Options
from gevaldi.labelling.queues import Queue, open_queue
from gevaldi.labelling.service import Service
from gevaldi.labelling.store import Store
from gevaldi.storage import local_path, reason

if TYPE_CHECKING:
    from gevaldi.comparison import Comparison
    from gevaldi.verdicts.verdict import Verdict

LOCK = ".label.lock"
HOST, PORT = "127.0.0.1", 8765
TRIED = 100  # ports from the first one
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
START = 30.0  # seconds in which a server begins, or something is wrong


class Labelling:
    """A labelling page that is being served.

    Attributes:
        service: hands out questions and stores answers.
        links: each person's link.
        owner: the link of who owns the question.
        folder: where answers are stored.
    """

    def __init__(
        self, queue: Queue, people: Sequence[str], options: Options, host: str, port: int | None, guide: str = "", name: str = ""
    ) -> None:
        """Begin to serve.

        Raises:
            RunFolderError: another server serves this folder, or answers cannot be stored there safely.
            SpecError: the port is in use, or the host is not one of this machine.
        """
        self.folder = queue.folder
        queue.picture(queue.items[0].id)  # one that cannot be read is better known now, and the first one is slow
        with contextlib.ExitStack() as stack:
            owner = stack.enter_context(_locked(queue.folder))
            store = Store(queue.folder)
            stack.callback(store.close)
            listening = _listen(host, port, int(store.setting("port", str(PORT))))
            stack.callback(listening.close)
            number = listening.getsockname()[1]
            store.change("port", str(number))
            self.service = Service(queue, store, people or [*store.people()] or [getpass.getuser()], options)
            address = f"https://{name}" if name else f"http://{_public_host(host)}:{number}"
            self.links = {name: f"{address}/p/{person.token}/" for name, person in self.service.people.items()}
            self.owner = f"{address}/owner/{self.service.owner}/"
            owner.write_text(json.dumps({"process": os.getpid(), "host": platform.node(), "address": address}))
            self._server = _server(self.service, frozenset({*LOOPBACK, host}) if host in LOOPBACK else None, guide, name)
            self._thread = threading.Thread(target=self._server.run, args=([listening],), name="labelling", daemon=True)
            self._thread.start()
            begin = time.monotonic()
            while not self._server.started and self._thread.is_alive() and time.monotonic() < begin + START:
                time.sleep(0.01)
            if not self._server.started:
                cause = f"did not start within {START:.0f} seconds" if self._thread.is_alive() else "ended while it started"
                raise SpecError(f"The server at {address} {cause}. Give the command again; an error above, if any, is the cause.")
            self._open = stack.pop_all()

    def stop(self) -> None:
        """End the server. Answers are on disk, and the same call goes on with the same links."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._open.close()

    def __enter__(self) -> "Labelling":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return "\n".join([*(f"{name}: {link}" for name, link in self.links.items()), f"owner: {self.owner}"])

    def _repr_html_(self) -> str:
        links = {**self.links, "owner": self.owner}
        rows = (f'<li>{html.escape(name)}: <a href="{link}" target="_blank">{link}</a></li>' for name, link in links.items())
        return f"<ul>{''.join(rows)}</ul>"


def label(
    what: "str | Path | Verdict | Comparison",
    *,
    people: Sequence[str] = (),
    host: str = HOST,
    port: int | None = None,
    name: str = "",
    each: int = 1,
    controls: float = 0.1,
    region: int | None = None,
    shows_interval: bool = False,
    until_decided: bool = True,
    lease: float = 10.0,
    guide: str | Path | None = None,
) -> Labelling:
    """Serve a page on which people say what disputed pictures show, each by a link of their own. Call `stop` to end it.

    Args:
        what: a verdict, a comparison, or the folder of one.
        people: names of those who take part now; by default all who were asked before, or else the user of this machine.
        host: the address to serve at; other machines reach it only if it is not the loopback.
        port: by default the last one of this folder, or the first free one from 8765.
        name: by which people reach a server with TLS that is in front of this one, such as label.example.org.
        each: people per picture; with 1, a second person answers 15 % of them, if there are two or more.
        controls: the share of tasks whose answer is known.
        region: the number of a region of a comparison; then only its pictures are asked.
        shows_interval: whether those who answer see the interval of the verdict, which may sway them.
        until_decided: whether to ask no more once the verdict is decided.
        lease: minutes of silence after which a person's questions go to others, too.
        guide: a Markdown file that says how to answer.

    Raises:
        MissingExtra: the packages of the extra `web` are not installed.
        SpecError: an argument is out of range, the port is in use, or there is nothing to ask.
        RunFolderError: the folder holds nothing to label, is being served already, or lies on a disk on which SQLite cannot lock.
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:  # before anybody is entered as one who answers
            raise MissingExtra(package, "The labelling page", "web")
    if not 0 <= controls < 0.5:
        raise SpecError(f"controls={controls} was given; a share from 0 to below a half was expected, such as 0.1.")
    options = Options(each=each, lease=60 * lease, shows_interval=shows_interval)
    prose = _as_html(local_path(str(guide))) if guide else ""
    queue = open_queue(what, region=region, controls=controls, until_decided=until_decided)
    return Labelling(queue, people, options, host, port, prose, name)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Lock a folder for this server; yields the file that names it.

    Raises:
        RunFolderError: another server has it, or the disk has no locks.
    """
    from filelock import FileLock, Timeout

    path = folder / LOCK
    lock = FileLock(path, blocking=False, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise RunFolderError(
            f"{folder} is being labelled already{_where(path)}. Use the links of that server, or end it and give the command again."
        ) from None
    except OSError as error:
        raise RunFolderError(
            f"{folder} cannot be locked: {reason(error)}. Copy it to a disk of this machine you may write to."
        ) from None
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # while it is locked
        lock.release()


def _where(path: Path) -> str:
    """The other server, as its lock says."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")[:1000])
        return f" at {found['address']:.100} (process {int(found['process'])} on {found['host']:.100})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _listen(host: str, port: int | None, first: int) -> socket.socket:
    """A socket that listens at this port, or else at the first free one.

    Raises:
        SpecError: the port is in use or not allowed, or this machine has no such address.
    """
    ports = [port] if port is not None else [first, *range(PORT, PORT + TRIED)]
    for number in ports:
        try:
            family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0][0]
            found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends at once only if told TCP
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a server that was just killed
            with contextlib.ExitStack() as stack:
                stack.callback(found.close)
                found.bind((host, number))
                found.listen()  # two processes may bind a port, and one listen
                stack.pop_all()
            return found
        except (OSError, OverflowError) as error:
            failure = error
    what = reason(failure) if isinstance(failure, OSError) else str(failure)
    if port is None:
        raise SpecError(f"Nothing can be served at {host}: {what}. Give another --host or --port.")
    raise SpecError(
        f"Port {port} at {host} cannot be used: {what}. Leave --port out, or give another one, such as --port {port + 1}."
    )


def _public_host(host: str) -> str:
    """The name of this server in links: the address by which others reach this machine, if it listens on all."""
    if host not in ("0.0.0.0", "::", ""):
        return f"[{host}]" if ":" in host else host
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the address that would be used
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _server(service: Service, hosts: frozenset[str] | None, guide: str, name: str) -> Any:
    import uvicorn

    from gevaldi.labelling.app import make_app

    config = uvicorn.Config(
        make_app(service, hosts, guide, name), log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=5
    )
    return uvicorn.Server(config)


def _as_html(path: Path) -> str:
    """A Markdown file as HTML in which no tag of its own stands.

    Raises:
        SpecError: it cannot be read.
    """
    from markdown_it import MarkdownIt

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecError(f"The guide {path} cannot be read: {reason(error) if isinstance(error, OSError) else error}.") from None
    return str(MarkdownIt("commonmark", {"html": False}).render(text))
