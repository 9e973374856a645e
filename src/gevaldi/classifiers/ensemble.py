"""Several classifiers as one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gevaldi.models import Classifier


class Ensemble:
    """The mean of several classifiers' probabilities: `ensemble:timm:resnet50.a1_in1k+(torchvision:resnet50,weights=FILE)`.

    Members are joined by `+`, in brackets where they have options. All have the same labels in the same order.
    """

    names_others = True

    def names(self) -> list[str]:
        """None of its own."""
        return []

    def load(self, name: str, /) -> "Classifier":
        """The ensemble.

        Raises:
            SpecError: there are fewer than two members, or they have other labels.
            UnknownName, WeightsError: as for each member alone.
        """
        from gevaldi.classifiers._wrapping import several
        from gevaldi.wrappers.predictions import Ensemble as Joined

        members = several("ensemble", name)
        return Joined(members, name=" + ".join(member.name or "a member" for member in members))
