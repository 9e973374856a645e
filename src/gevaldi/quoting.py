"""Names with commas and the like: what stands in double quotes is one name, whatever is in it."""

import re

OPENING, CLOSING = "([{", ")]}"
BEFORE = "=,:+" + OPENING  # what a quote opens after, but for spaces; elsewhere it is a letter, as in Bob"s.png
QUOTED = re.compile(r'"((?:[^"]|"")*+)"(?=\s*(?:$|[=,:+)\]}]))')


def split_unquoted(text: str, separator: str, most: int = -1) -> list[str]:
    """A text cut at a separator, at most so many times, but not inside brackets or double quotes, which stay.

    `std=[0.2,0.3]`, `(timm:a,weights=b)+(timm:c)` and `weights="a,b.pth"` stay whole. Brackets and quotes that do not match are
    letters like others, as a file name may have them.
    """
    parts, depth = _split(text, separator, most, brackets=True)
    return parts if depth == 0 else _split(text, separator, most, brackets=False)[0]


def _split(text: str, separator: str, most: int, brackets: bool) -> tuple[list[str], int]:
    parts: list[str] = []
    begin = depth = i = 0
    while i < len(text):
        quoted = _quoted_at(text, i)
        if quoted:
            i = quoted.end()
            continue
        if brackets:
            depth += (text[i] in OPENING) - (text[i] in CLOSING)
        if text[i] == separator and depth == 0 and len(parts) != most:
            parts.append(text[begin:i])
            begin = i + 1
        i += 1
    return [*parts, text[begin:]], depth


def unquoted(text: str) -> str:
    """A text without the double quotes around names in it; two of them in a quoted name are one: `"a ""b"", c"` is `a "b", c`."""
    found, i = "", 0
    while i < len(text):
        quoted = _quoted_at(text, i)
        found += quoted[1].replace('""', '"') if quoted else text[i]
        i = quoted.end() if quoted else i + 1
    return found


def quote_name(name: str) -> str:
    """A name in double quotes if it has letters that would end it otherwise."""
    return '"' + name.replace('"', '""') + '"' if re.search(r'[,"=+()\[\]{}]', name) else name


def _quoted_at(text: str, place: int) -> re.Match[str] | None:
    """The quoted name that begins at a place."""
    if text[place] != '"':
        return None
    before = next((text[i] for i in range(place - 1, -1, -1) if not text[i].isspace()), "")
    return QUOTED.match(text, place) if before in BEFORE else None  # nothing is in every text: also at the beginning
