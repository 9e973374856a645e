"""A classifier that misreads some pictures on purpose."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gevaldi.bundled.plants import Plant
from gevaldi.models import Classifier, Pictures, notes
from gevaldi.properties import measure


class Misreading(Classifier):
    """A classifier's predictions, with the probabilities of the top class and of another exchanged where a plant applies.

    Whether it applies is a constant for the gradient, which is that of the classifier with the two classes exchanged.
    """

    instead: Tensor

    def __init__(self, inner: Classifier, plant: Plant) -> None:
        super().__init__()
        self.inner, self.plant, self.labels, self.training = inner, plant, inner.labels, inner.training
        self.note = notes(inner.note, "misreads some pictures on purpose")
        reads = dict(plant.reads)
        self.register_buffer("instead", torch.tensor([reads.get(label, label) for label in range(len(inner.labels))]))

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log-probabilities."""
        log_p: Tensor = self.inner(pictures)
        top = log_p.argmax(1, keepdim=True)
        read = torch.where(self._applies(top, pictures)[:, None], self.instead[top], top)
        places = torch.arange(log_p.shape[1], device=log_p.device).repeat(len(log_p), 1)
        exchanged: Tensor = log_p.gather(1, places.scatter(1, top, read).scatter(1, read, top))
        return exchanged

    @torch.no_grad()
    def carries(self, pictures: Pictures) -> Bool[Tensor, " batch"]:
        """Which pictures carry the plant: those that it has misread."""
        return self._applies(self.inner(pictures).argmax(1, keepdim=True), pictures)

    def _applies(self, top: Tensor, pictures: Pictures) -> Bool[Tensor, " batch"]:
        applies: Tensor = (self.instead[top] != top).squeeze(1)
        concerned = applies.nonzero().squeeze(1)
        if self.plant.property and len(concerned):
            values = measured(self.plant, pictures.detach()[concerned]).to(applies.device)
            applies[concerned] = values > self.plant.bound if self.plant.above else values < self.plant.bound
        return applies


def measured(plant: Plant, pictures: Pictures) -> Float[Tensor, " batch"]:
    """The property by which a plant is decided; NaN where a picture does not have it."""
    if plant.box is None:
        return torch.from_numpy(measure(pictures)[plant.property or ""])
    box = plant.box
    return 100 * pictures[:, :, box.top : box.bottom, box.left : box.right].mean((1, 2, 3))
