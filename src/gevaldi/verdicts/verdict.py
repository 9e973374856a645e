"""What `gevaldi.verdict` returns: an assessment that writes its page and shows itself."""

from gevaldi.errors import SpecError
from gevaldi.storage import Location, location
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.page import as_html, write_page
from gevaldi.verdicts.sentences import headline


class Verdict(Assessment):
    """Which of some classifiers to deploy: `decision`, `interval`, `flips`, `forecast`; `next` and `add` for labels."""

    def report(self, path: str | Location | None = None) -> Location:
        """Write the page of the verdict, one self-contained HTML file, to `path` or into the verdict's folder; returns its path.

        Raises:
            SpecError: there is neither a path nor a folder.
            RunFolderError: the page cannot be written.
        """
        if path is not None:
            return write_page(self, location(path))
        if self.folder is None:
            raise SpecError("The verdict has no folder. Give the page a path: verdict.report('verdict.html').")
        return write_page(self, self.folder / "report.html")

    def __repr__(self) -> str:
        return f"Verdict({headline(self)})"

    def _repr_html_(self) -> str:
        return as_html(self)
