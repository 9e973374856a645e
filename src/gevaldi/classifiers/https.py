"""Classifiers that a server computes, over an encrypted connection."""

from gevaldi.classifiers.http import Http


class Https(Http):
    """The same as `http:` with TLS: `https://HOST/v1/models/NAME:predict`."""

    prefix = "https:"
