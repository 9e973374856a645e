"""The command `gevaldi label`: people say what disputed pictures show, on a page."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from gevaldi.cli.words import say, tell

if TYPE_CHECKING:
    from gevaldi.labelling.serve import Labelling


def label(
    folder: Annotated[str, typer.Argument(help="of a verdict, a comparison, or its regions", show_default=False)],
    person: Annotated[
        list[str] | None,
        typer.Option(
            help="who answers; may be repeated, each gets a link", show_default="who was asked before, or you", metavar="NAME"
        ),
    ] = None,
    region: Annotated[int | None, typer.Option(min=1, help="the pictures of one region of a comparison", metavar="N")] = None,
    each: Annotated[int, typer.Option(min=1, help="people per picture; with 1, two people answer 15 %", metavar="N")] = 1,
    controls: Annotated[str, typer.Option(help="share of tasks whose answer is known")] = "10%",
    until_decided: Annotated[
        bool, typer.Option("--until-decided/--all", help="stop asking when the verdict is decided, or ask about all pictures")
    ] = True,
    shows_interval: Annotated[
        bool, typer.Option("--shows-interval", help="show the interval to those who answer, too, which may sway them")
    ] = False,
    guide: Annotated[str | None, typer.Option(help="how to answer, in Markdown", metavar="FILE")] = None,
    lease: Annotated[float, typer.Option(help="minutes of silence after which others are asked a person's questions")] = 10.0,
    host: Annotated[str, typer.Option(help="address to serve at; 0.0.0.0 for the whole network")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="port to serve at", show_default="the last one, or 8765")
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            help="by which people reach a server with TLS in front of this one, e.g. label.example.org", show_default=False
        ),
    ] = "",
    open_: Annotated[bool, typer.Option("--open/--no-open", help="open the first person's page in the browser")] = False,
) -> None:
    """Ask people what disputed pictures show, on a page in the browser, each by a link of their own.

    Nobody sees which classifier says what. Every answer is on disk before the next picture shows, and `gevaldi verdict` counts it
    at once. Ctrl-C ends the server; the same command goes on, with the same links. Examples:

    \b
      gevaldi label runs/verdict-old-vs-new-1a2b3c4d
      gevaldi label runs/demo --person Ada --person Grace --each 2
      gevaldi label runs/demo --region 1 --host 0.0.0.0
    """
    from gevaldi.labelling.serve import LOOPBACK
    from gevaldi.labelling.serve import label as serve

    share = _share(controls)
    with serve(
        folder,
        people=person or (),
        host=host,
        port=port,
        name=name,
        each=each,
        controls=share,
        region=region,
        shows_interval=shows_interval,
        until_decided=until_decided,
        lease=lease,
        guide=guide,
    ) as labelling:
        if host not in LOOPBACK:
            say("gevaldi: warning: whoever on this network has a link can answer with it, and the connection is not encrypted.")
        if share and not labelling.service.queue.controls:
            say("gevaldi: notice: nobody is asked controls here: there is no picture whose answer is known, or too few are asked.")
        for name, link in labelling.links.items():
            tell(f"{name}: {link}")
        tell(f"owner: {labelling.owner}")
        say("Ctrl-C ends the server.")
        if open_:
            import webbrowser

            webbrowser.open(next(iter(labelling.links.values())))
        _follow(labelling)


def _share(text: str) -> float:
    """A share such as 10% or 0.1.

    Raises:
        SpecError: it is none.
    """
    from gevaldi.errors import SpecError

    try:
        return float(text.strip().removesuffix("%")) / (100 if "%" in text else 1)
    except ValueError:
        raise SpecError(f"--controls {text} was given; a share such as 10% was expected.") from None


def _follow(labelling: "Labelling") -> None:
    """Show how far people are, until a signal ends the command."""
    from gevaldi.progress import Bar

    service, finished = labelling.service, False
    try:
        with Bar(True, "answers") as bar:
            while True:
                count = sum(len(person.done) for person in service.assignment.people.values())
                bar.rows(count, count + service.left)
                if service.finished and not finished:
                    bar.notice("Nothing is left to ask. " + " ".join(service.queue.sentences()[:1]))
                finished = service.finished
                time.sleep(0.5)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Answers are on disk; the same command goes on, with the same links.")
        raise
