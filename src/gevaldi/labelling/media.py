"""Pictures and sounds as the browser gets them."""

import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from starlette.responses import Response

SIDE = 1024  # most pixels of the longer side of a picture
RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})?")  # the one form in which players ask; Safari plays nothing without an answer
STORED = {"Cache-Control": "private, max-age=3600"}


def picture_response(picture: "Image") -> "Response":
    """A picture as PNG: its pixels and nothing else, at most `SIDE` on the longer side."""
    from starlette.responses import Response

    small, sink = picture.copy(), io.BytesIO()
    small.thumbnail((SIDE, SIDE))
    small.info.clear()
    small.save(sink, "PNG")
    return Response(sink.getvalue(), media_type="image/png", headers=STORED)


def sound_response(content: bytes, header: str) -> "Response":
    """A sound as FLAC, or the part of it that the header `Range` asks for; the whole if it asks in another form (RFC 9110)."""
    from starlette.responses import Response

    headers = STORED | {"Accept-Ranges": "bytes"}
    part = RANGE.fullmatch(header)
    if part is None:
        return Response(content, media_type="audio/flac", headers=headers)
    begin, end = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
    if begin > end:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{len(content)}"})
    headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
    return Response(content[begin : end + 1], 206, media_type="audio/flac", headers=headers)
