"""Names that cannot disturb the page. The template escapes the rest."""

from gevaldi.names import LONGEST, plain

__all__ = ["LONGEST", "plain"]
