"""People who answer through HTTP while the server is killed, lines drop and posts come twice: what is lost, and how long it takes.

    python benchmarks/labelling.py                 both below
    python benchmarks/labelling.py first           10,000 items: the first picture, and memory
    python benchmarks/labelling.py crowd 8 500 10  so many people, answers of each, and kills of the server

Every answer is a class that a hash of person and task decides, so that an answer under another person's name would be seen.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from PIL import Image

from gevaldi.labelling.assignment import Options
from gevaldi.labelling.queues import open_queue
from gevaldi.labelling.serve import HOST, Labelling
from gevaldi.labels import Label
from gevaldi.predictions.base import Pool, Predictions
from gevaldi.verdicts.responses import read_responses

CLASSES = 64


class Noise:
    """Pictures of noise, drawn when they are asked for."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __getitem__(self, place: int) -> Any:
        import torch

        return torch.rand(3, self.side, self.side, generator=torch.Generator().manual_seed(place))


def verdict_of(folder: Path, disputed: int, side: int = 32) -> Any:
    """A verdict on made-up predictions that differ on so many pictures, and agree on as many."""
    from gevaldi.verdicts.start import verdict_on

    rng = np.random.default_rng(0)
    first = rng.integers(0, CLASSES, 2 * disputed).astype(np.int32)
    second = np.where(np.arange(2 * disputed) < disputed, (first + 1) % CLASSES, first).astype(np.int32)
    ids = pa.array([f"folder/{i:06d}.png" for i in range(2 * disputed)])
    classes = tuple(Label(f"class {i}") for i in range(CLASSES))
    predictions = [Predictions(name, ids, classes, top[:, None], digest=name) for name, top in (("old", first), ("new", second))]
    return verdict_on(Pool("noise", ids, classes, predictions, digest="noise", pictures=Noise(side)), out=folder)


def serve(folder: Path, disputed: int, people: int, port: int, side: int = 32) -> None:
    """Serve until killed; writes every link to a file first."""
    queue = open_queue(verdict_of(folder, disputed, side), until_decided=False)
    if not side:
        queue = replace(queue, picture=lambda text: Image.new("L", (8, 8)))  # without torch, which takes seconds to begin
    labelling = Labelling(queue, [f"person {i}" for i in range(people)], Options(), HOST, port)
    (folder / "links.tmp").write_text("\n".join(labelling.links.values()))
    (folder / "links.tmp").rename(folder / "links")
    signal.pause()


@dataclass
class Server:
    """A server in a process of its own."""

    folder: Path
    disputed: int
    people: int
    side: int = 0
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Begin to serve, on the same port every time."""
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        words = ["serve", str(self.folder), str(self.disputed), str(self.people), str(self.port), str(self.side)]
        self.process = subprocess.Popen([sys.executable, __file__, *words], env={**os.environ, "OMP_NUM_THREADS": "1"})

    def kill(self) -> None:
        """Kill -9."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def links(self) -> list[str]:
        """Everybody's link, once it serves."""
        while not (self.folder / "links").exists():
            assert self.process
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.02)
        return (self.folder / "links").read_text().splitlines()


def answer_of(person: str, task: str) -> str:
    """What a person answers to a task."""
    return f"class {int(hashlib.sha256(f'{person} {task}'.encode()).hexdigest()[:8], 16) % CLASSES}"


@dataclass
class Client:
    """A person with two tabs."""

    name: str
    link: str
    wanted: int
    seed: int
    stored: dict[str, str] = field(default_factory=dict)  # what was acknowledged, by task
    tasks: set[str] = field(default_factory=set)  # what this person was ever asked
    seconds: list[float] = field(default_factory=list)
    events: "Counter[str]" = field(default_factory=Counter)

    async def run(self) -> None:
        """Answer until enough answers are acknowledged."""
        chance = random.Random(self.seed)
        limits = httpx.Limits(max_connections=4)
        async with contextlib.AsyncExitStack() as stack:
            tabs = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=self.link, timeout=10, limits=limits)) for _ in range(2)
            ]
            while len(self.stored) < self.wanted:
                found = await self.retry(tabs[chance.random() < 0.3], "GET", "next?count=3")
                if not found["tasks"]:
                    await asyncio.sleep(0.05)
                for one in found["tasks"][: chance.choice((1, 3))]:
                    await self.answer(tabs, one["task"], chance)
                if self.stored and chance.random() < 0.01:
                    await self.undo(tabs[0], chance)

    async def answer(self, tabs: list[httpx.AsyncClient], task: str, chance: random.Random) -> None:
        """Answer a task; sometimes the connection is lost first, the post is sent twice, or another tab answers, too."""
        self.tasks.add(task)
        body = {"task": task, "answer": answer_of(self.name, task), "key": f"{chance.getrandbits(64):x}", "shown_ms": 1000}
        what = chance.random()
        if what < 0.05:
            self.events["dropped"] += 1
            await self.drop(body, chance)
        sends = [self.retry(tabs[0], "POST", "answer", body)]
        if 0.05 < what < 0.10:
            self.events["twice"] += 1
            sends.append(self.retry(tabs[0], "POST", "answer", body))
        if 0.10 < what < 0.15:
            self.events["two tabs"] += 1
            sends.append(self.retry(tabs[1], "POST", "answer", {**body, "key": body["key"] + "b", "answer": "class 0"}))
        replies = await asyncio.gather(*sends)
        assert len({reply["answer"] for reply in replies}) == 1, "two replies name different answers"
        assert sum(reply["stored"] for reply in replies) <= 1, "two posts were both stored"
        self.stored[task] = replies[0]["answer"]

    async def drop(self, body: dict[str, Any], chance: random.Random) -> None:
        """Send a post, or a part of it, and drop the line before the reply."""
        address, content = httpx.URL(self.link), json.dumps(body).encode()
        head = f"POST {address.path}answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
        head += "Content-Type: application/json"
        whole = head.encode() + b"\r\n\r\n" + content
        with contextlib.suppress(OSError):
            _, line = await asyncio.open_connection("127.0.0.1", address.port)
            line.write(whole if chance.random() < 0.7 else whole[: chance.randrange(len(whole))])
            await asyncio.sleep(chance.random() * 0.01)
            line.transport.abort()

    async def undo(self, tab: httpx.AsyncClient, chance: random.Random) -> None:
        """Take back the last answer, with one key however often it is sent."""
        self.events["undone"] += 1
        reply = await self.retry(tab, "POST", "undo", {"key": f"{chance.getrandbits(64):x}"})
        del self.stored[reply["task"]]
        self.events["undone unseen"] += not reply["undone"]  # the server was killed after it had undone and before it replied

    async def retry(self, tab: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
        """The reply to a request, sent again as long as there is none."""
        while True:
            begin = time.perf_counter()
            try:
                reply = await tab.request(method, path, json=body)
            except httpx.HTTPError:
                self.events["sent again"] += 1
                await asyncio.sleep(0.05)
                continue
            assert reply.status_code == 200, (reply.status_code, reply.text)
            if method == "POST" and path == "answer":
                self.seconds.append(time.perf_counter() - begin)
            return reply.json()


async def _answer_all(clients: list[Client], server: Server, kills: int, seed: int) -> None:
    """Let all answer, and kill the server at moments spread over the whole."""
    chance, total = random.Random(seed), sum(client.wanted for client in clients)
    moments = sorted(chance.random() * 0.98 * total for _ in range(kills))
    tasks = [asyncio.create_task(client.run()) for client in clients]
    while moments and not all(task.done() for task in tasks):
        if sum(len(client.stored) for client in clients) >= moments[0]:
            moments.pop(0)
            await asyncio.sleep(chance.random() * 0.03)
            server.kill()
            server.start()
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)


def crowd(people: int, answers: int, kills: int, disputed: int = 0, seed: int = 0) -> dict[str, Any]:
    """Let people answer while the server is killed; raises AssertionError if an answer is lost, double, or under a wrong name."""
    with tempfile.TemporaryDirectory(prefix="gevaldi-crowd-") as name:
        server = Server(Path(name), disputed or people * answers, people)
        server.start()
        try:
            clients = [Client(f"person {i}", link, answers, seed + i) for i, link in enumerate(server.links())]
            begin = time.monotonic()
            asyncio.run(_answer_all(clients, server, kills, seed))
            wall = time.monotonic() - begin
        finally:
            server.kill()
        check(clients, Path(name))
    seconds = [one for client in clients for one in client.seconds]
    p50, p95, p99 = (1000 * float(np.quantile(seconds, q)) for q in (0.5, 0.95, 0.99))
    events = sum((client.events for client in clients), Counter())
    return {"answers": people * answers, "kills": kills, "wall": wall, "p50": p50, "p95": p95, "p99": p99, **events}


def check(clients: list[Client], folder: Path) -> None:
    """Compare what was acknowledged with what is on disk."""
    rows = read_responses(folder)
    for client in clients:
        own = {row.task: row.answer for row in rows if row.person == client.name}
        assert own == client.stored, f"{client.name}: {len(client.stored)} were acknowledged, {len(own)} are on disk, or others"
        assert set(own) <= client.tasks, "an answer is under the name of a person who was not asked"
    assert len({(row.person, row.picture, row.occasion) for row in rows}) == len(rows), "an answer is there twice"
    assert len(rows) == sum(len(client.stored) for client in clients)


def first_picture(items: int = 10_000, side: int = 224) -> dict[str, float]:
    """Seconds from the start of the process, and from the request, to the first picture; memory at the beginning and later."""
    import psutil

    with tempfile.TemporaryDirectory(prefix="gevaldi-crowd-") as name:
        server, begin = Server(Path(name), items, 1, side), time.monotonic()
        server.start()
        try:
            tab = httpx.Client(base_url=server.links()[0], timeout=60)
            served = time.monotonic()
            task = tab.get("next").json()["tasks"][0]
            asked = time.monotonic()
            assert tab.get(task["picture"]).status_code == 200
            shown = time.monotonic()
            assert server.process
            memory = []
            for number in range(1, 2001):
                task = tab.get("next?count=3").json()["tasks"][0]
                assert tab.get(task["picture"]).status_code == 200
                tab.post("answer", json={"task": task["task"], "answer": task["choices"][0], "key": str(number)})
                if number in (100, 2000):
                    memory.append(psutil.Process(server.process.pid).memory_info().rss / 1e6)
        finally:
            server.kill()
    times = {"served after": served - begin, "first task": asked - served, "first picture": shown - asked}
    return {**times, "MB after 100 answers": memory[0], "MB after 2,000": memory[1]}


def main(words: list[str]) -> None:
    if words[:1] == ["serve"]:
        serve(Path(words[1]), *map(int, words[2:]))
    elif words[:1] == ["crowd"]:
        print(crowd(*map(int, words[1:])))
    elif words[:1] == ["first"]:
        print(first_picture())
    else:
        print(first_picture())
        print(crowd(8, 5000, 0))
        print(crowd(8, 5000, 50))


if __name__ == "__main__":
    main(sys.argv[1:])
