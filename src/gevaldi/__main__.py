"""`python -m gevaldi` is `gevaldi`."""

from gevaldi.cli.main import run

run()
