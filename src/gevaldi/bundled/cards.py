"""The card of each bundled model: what it is, what it learnt from, how good it is, how to make it again, what it is not for."""

from dataclasses import dataclass

from torch import nn

from gevaldi.bundled.audit import Audit
from gevaldi.bundled.data import DataSet


@dataclass(frozen=True)
class Origin:
    """What a model was made from: enough to make it again."""

    name: str
    seed: int
    data: str
    recipe: str
    parameters: int
    command: str

    def header(self) -> dict[str, str]:
        """For the metadata of the weights file, which holds strings only."""
        fields = {"name": self.name, "data": self.data, "recipe": self.recipe}
        return fields | {"seed": str(self.seed), "parameters": str(self.parameters), "command": self.command}


def count_parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(p.numel() for p in network.parameters())


def write_card(origin: Origin, data: DataSet, purpose: str, limits: str, figures: list[tuple[str, str]], more: str = "") -> str:
    """The card in Markdown; `figures` are rows of a table, each a question and its measured answer."""
    rows = "\n".join(f"| {question} | {answer} |" for question, answer in figures)
    return f"""# {origin.name}

{purpose}

| | |
|---|---|
| data | {data.training} (fingerprint {origin.data}) |
| training | {origin.recipe} |
| command | `{origin.command}` |
| parameters | {origin.parameters:,} |
{rows}
{more}
All figures were measured on the weights as stored, in half precision.

**Not for.** {limits}
{data.terms}"""


def percent(value: float) -> str:
    """0.98765 as 98.77 %."""
    return f"{100 * value:.2f} %"


def accuracy_question(data: DataSet, pictures: int) -> str:
    """The row of a classifier's card that states its accuracy."""
    return f"accuracy on {pictures:,} test {data.many}"


def audit_figures(audit: Audit, data: DataSet, temperature: float, latent: int) -> list[tuple[str, str]]:
    """The rows of a generator's card."""
    return [
        ("coordinates of u", str(latent)),
        ("temperature", f"{temperature:.2f}"),
        ("samples in the audit", f"{audit.samples:,}, u ~ N(0, I), each {data.one} equally often"),
        (f"the pair disagrees on real test {data.many}", percent(audit.real_disagreement)),
        (f"the pair disagrees on generated {data.many}", f"{percent(audit.disagreement)} ({audit.ratio:.2f} times as often)"),
        (f"the referee reads the {data.one} that was meant", percent(audit.read_as_meant)),
        (
            f"coverage of real test {data.many} [Naeem 2020], by generated {data.many}",
            f"{percent(audit.coverage)} (other real {data.many}: {percent(audit.real_coverage)})",
        ),
    ]
