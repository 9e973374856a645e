"""Keep one comment on a pull request up to date: `python -m gevaldi.integrations.github comment.md`, in a workflow of GitHub."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from gevaldi.verdicts.gate import MARKER

PAGE, MOST = 100, 50  # comments of a page, and pages


def put_comment(text: str, issue: str, token: str) -> str:
    """Replace the comment that begins with the same line as the text, or add one; returns its address.

    Args:
        text: in Markdown.
        issue: the address of the pull request in the API, such as https://api.github.com/repos/OWNER/NAME/issues/1.
        token: that may write to pull requests.

    Raises:
        OSError: GitHub does not answer or does not allow it.
    """
    before = _earlier(text.partition("\n")[0], issue, token)
    method, address = ("PATCH", before["url"]) if before else ("POST", f"{issue}/comments")
    return str(_request(method, address, token, {"body": text})["html_url"])


def _earlier(line: str, issue: str, token: str) -> dict[str, Any] | None:
    """The first comment that begins with a line."""
    for page in range(1, MOST + 1):
        comments = _request("GET", f"{issue}/comments?per_page={PAGE}&page={page}", token)
        for comment in comments:
            if (comment["body"] or "").partition("\n")[0].strip() == line:
                return dict(comment)
        if len(comments) < PAGE:
            return None
    return None


def _request(method: str, address: str, token: str, body: dict[str, str] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address, content, headers, method=method), timeout=60) as answer:
        return json.load(answer)


def main(words: list[str], variables: Mapping[str, str]) -> str:
    """Put the comment in a file on the pull request of the workflow, and say where it is.

    Args:
        words: the file, and the name of the gate if a pull request has several.
        variables: GITHUB_API_URL, GITHUB_REPOSITORY and GITHUB_TOKEN as in a workflow, NUMBER of the pull request.
    """
    text = Path(words[0]).read_text(encoding="utf-8")
    if name := "".join(words[1:]).strip():
        text = text.replace(MARKER, f"{MARKER.removesuffix(' -->')} {name.replace('--', '-')} -->", 1)
    issue = f"{variables['GITHUB_API_URL']}/repos/{variables['GITHUB_REPOSITORY']}/issues/{variables['NUMBER']}"
    try:
        return f"comment: {put_comment(text, issue, variables['GITHUB_TOKEN'])}"
    except URLError as error:  # a token of a fork may not write; the verdict stands in the summary of the job, too
        return f"::warning::The comment cannot be written: {error}. The job needs the permission pull-requests: write."


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:], os.environ) + "\n")
