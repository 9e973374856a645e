"""The hierarchy on a real pair: SqueezeNet 1.0 and 1.1, the paper's first, over 500 ImageNet pictures."""

from pathlib import Path

import pytest
import torch

import gevaldi
from conftest import IMAGENET, needs_imagenet
from gevaldi.divergences import divergence
from gevaldi.taxonomy import Taxonomy, distances, most_probable, registry, set_distance
from gevaldi.taxonomy.tree import as_tree

pytestmark = [needs_imagenet, pytest.mark.slow]

ILSVRC: Taxonomy = registry.get("ilsvrc")()


@pytest.fixture(scope="module")
def predictions() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of both SqueezeNets, for each fourth picture; and the pictures' classes."""
    from imagenet_world import pictures, squeezenets

    assert IMAGENET
    shown, classes = pictures(IMAGENET, every=4)
    last = torch.channels_last  # in which they take half the time
    with torch.no_grad():
        nets = [net.to(memory_format=last) for net in squeezenets(IMAGENET)]
        first, second = (torch.cat([net(part.contiguous(memory_format=last)) for part in shown.split(5)]) for net in nets)
    return first, second, torch.tensor(classes)


def test_set_distances_of_the_squeezenets_are_as_they_were_found_on_pictures_like_these(
    predictions: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    """With `edges` on 1,000 such pictures they were 1.59, 3.13 and 3.52; these 125 are among them."""
    first, second, classes = predictions
    half = torch.from_numpy(distances(ILSVRC, "edges"))
    found = [set_distance(most_probable(first, n), most_probable(second, n), half).mean().item() for n in (1, 3, 5)]
    assert found == pytest.approx([1.59, 3.13, 3.52], abs=0.3)
    # Both know their classes, so the loading is right, and errors are nearer to the truth than chance would have it.
    assert (first.argmax(1) == classes).float().mean() > 0.55
    wrong = second.argmax(1) != classes
    assert half[second.argmax(1), classes][wrong].mean() < half[half > 0].mean() - 1


def test_wasserstein_of_real_predictions_is_at_most_the_mean_distance_of_classes_drawn_from_both(
    predictions: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> None:
    first, second = (side[::5] for side in predictions[:2])
    found = divergence("wasserstein", taxonomy=ILSVRC)(first, second)
    half = torch.from_numpy(distances(as_tree(ILSVRC), "edges"))
    drawn = torch.einsum("bi,ij,bj->b", first.exp(), half, second.exp())
    assert (found >= 0).all()
    assert (found <= drawn + 1e-4).all()
    assert found.mean() < 0.9 * drawn.mean()  # transport pairs like with like


def test_a_comparison_on_imagenet_finds_its_taxonomy_by_the_ids_and_its_report_tells_the_way(tmp_path: Path) -> None:
    from imagenet_world import around_pictures, squeezenets

    assert IMAGENET
    generator = around_pictures(IMAGENET, [10, 60], 72, 0.2)
    done = gevaldi.compare(
        *squeezenets(IMAGENET),
        generator,
        out=tmp_path,
        samples=2,
        steps=3,
        batch_size=2,
        goal="most divergent",
        orders="forward",
        divergence="wasserstein",
        device="cpu",
        audited=2,
    )
    assert done.run.record["taxonomy"]["name"] == "ilsvrc"
    for row in done.rows().to_dict("records"):
        first, second = (row[f"{side}_end"][0]["label"] for side in ("first", "second"))
        assert row["set_distance_1_end"] == distances(ILSVRC)[first, second]
    assert done.rows()["set_distance_1_end"].max() > 0
    assert "they meet at" in done.report().read_text()
