"""The card of each bundled model: what it is, what it learnt from, how good it is, how to make it again, what it is not for."""

from dataclasses import dataclass

from torch import nn

from gevaldi.bundled.audit import Audit

COMMAND = "gevaldi train mnist --data DIR"

NOT_FOR_READING = """It is made to be compared and searched, not to read digits in earnest: it has seen nothing but MNIST's
cropped, centred, white-on-black digits, and gives some digit with confidence to any other picture."""

NOT_FOR_DRAWING = """Its digits are smoother than real ones, and rare ways of writing are rarer still among them. A difference
that a search finds with it is a difference on such pictures; the figures above say how far they stand for real digits.
It knows nothing but MNIST."""

PURPOSE = {
    "mnist-strided": ("The smaller classifier of the pair: strided convolutions, no pooling.", NOT_FOR_READING),
    "mnist-pooled": ("The larger classifier of the pair: convolutions with max pooling.", NOT_FOR_READING),
    "mnist-referee": ("The stronger classifier that says what a picture shows when the pair is in dispute.", NOT_FOR_READING),
    "mnist-vae": (
        "The generator: a class-conditional variational autoencoder, and a class-conditional coupling flow that learnt the prior\n"
        "of its latents. A latent u ~ N(0, I) and a digit make a picture: sigmoid(decoder(flow(temperature * u, y), y)).",
        NOT_FOR_DRAWING,
    ),
}


@dataclass(frozen=True)
class Origin:
    """What a model was made from: enough to make it again."""

    name: str
    seed: int
    data: str
    recipe: str
    parameters: int

    def header(self) -> dict[str, str]:
        """For the metadata of the weights file, which holds strings only."""
        fields = {"name": self.name, "data": self.data, "recipe": self.recipe}
        return fields | {"seed": str(self.seed), "parameters": str(self.parameters), "command": f"{COMMAND} --seed {self.seed}"}


def count_parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(p.numel() for p in network.parameters())


def write_card(origin: Origin, figures: list[tuple[str, str]]) -> str:
    """The card in Markdown; `figures` are rows of a table, each a question and its measured answer."""
    purpose, limits = PURPOSE[origin.name]
    rows = "\n".join(f"| {question} | {answer} |" for question, answer in figures)
    return f"""# {origin.name}

{purpose}

| | |
|---|---|
| data | the 60,000 training digits of MNIST [LeCun 1998] (fingerprint {origin.data}) |
| training | {origin.recipe} |
| command | `{COMMAND} --seed {origin.seed}` |
| parameters | {origin.parameters:,} |
{rows}

All figures were measured on the weights as stored, in half precision.

**Not for.** {limits}
"""


def percent(value: float) -> str:
    """0.98765 as 98.77 %."""
    return f"{100 * value:.2f} %"


def accuracy_figures(accuracy: float, digits: int) -> list[tuple[str, str]]:
    """The rows of a classifier's card."""
    return [(f"accuracy on {digits:,} test digits", percent(accuracy))]


def audit_figures(audit: Audit, temperature: float, latent: int) -> list[tuple[str, str]]:
    """The rows of a generator's card."""
    return [
        ("coordinates of u", str(latent)),
        ("temperature", f"{temperature:.2f}"),
        ("samples in the audit", f"{audit.samples:,}, u ~ N(0, I), each digit equally often"),
        ("the pair disagrees on real test digits", percent(audit.real_disagreement)),
        ("the pair disagrees on generated digits", f"{percent(audit.disagreement)} ({audit.ratio:.2f} times as often)"),
        ("the referee reads the digit that was meant", percent(audit.read_as_meant)),
        (
            "coverage of real test digits [Naeem 2020], by generated digits",
            f"{percent(audit.coverage)} (other real digits: {percent(audit.real_coverage)})",
        ),
    ]
