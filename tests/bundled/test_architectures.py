"""The flow against calculus, and what every bundled network must do."""

import math

import pytest
import torch

from gevaldi.bundled.architectures import ConditionalGenerator, Flow, Referee
from gevaldi.bundled.families import Family
from gevaldi.bundled.worlds import DIGITS, GARMENTS, WORLDS

CLASSIFIERS = {name: world for world in WORLDS.values() for name in world.classifiers}
of_a_side = pytest.mark.parametrize("side", sorted({world.data.side for world in WORLDS.values()}))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def random_flow(latent: int) -> Flow:
    """In float64, and far from the identity that a new flow is."""
    torch.manual_seed(latent)
    flow = Flow(latent, layers=4, hidden=12).double()
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.4 * torch.randn_like(p))
    return flow


@pytest.mark.parametrize("latent", [2, 5, 16])
def test_the_inverse_of_the_flow_undoes_it(latent):
    flow, u, y = random_flow(latent), torch.randn(7, latent, dtype=torch.float64), torch.arange(7)
    assert torch.allclose(flow.inverse(flow(u, y), y)[0], u, atol=1e-9)


@pytest.mark.parametrize("latent", [2, 5, 16])
def test_the_log_determinant_is_that_of_the_jacobian(latent):
    flow, z, y = random_flow(latent), torch.randn(3, latent, dtype=torch.float64), torch.tensor([0, 4, 9])
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda v, y=y[i : i + 1]: flow.inverse(v[None], y)[0][0], z[i])
        assert flow.inverse(z, y)[1][i].item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-9)


def test_the_density_of_a_flow_on_a_line_of_two_integrates_to_one():
    flow, axis = random_flow(2), torch.linspace(-60, 60, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = flow.log_prob(grid, torch.full((len(grid),), 3)).exp().sum() * (axis[1] - axis[0]) ** 2
    assert density.item() == pytest.approx(1, abs=0.02)


def test_a_new_flow_started_from_moments_has_them():
    torch.manual_seed(0)
    y = torch.arange(4000) % 10
    z = 3 * torch.randn(4000, 4) + y[:, None]
    flow = Flow(4)
    flow.start_from(z, torch.zeros_like(z), y)
    assert torch.allclose(flow.mean[7], z[y == 7].mean(0), atol=1e-5)
    assert torch.allclose(flow.log_scale[7].exp(), z[y == 7].std(0, unbiased=False), atol=1e-4)
    expected = -0.5 * ((z - flow.mean[y]) / flow.log_scale[y].exp()).square().sum(1)
    expected = expected - flow.log_scale[y].sum(1) - 2 * math.log(2 * math.pi)
    assert torch.allclose(flow.log_prob(z, y), expected, atol=1e-4)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_batch_equals_its_members_alone(name):
    torch.manual_seed(0)
    side = CLASSIFIERS[name].data.side
    classifier, pictures = CLASSIFIERS[name].builder(name)().eval(), torch.rand(4, 1, side, side)
    alone = torch.cat([classifier(pictures[i : i + 1]) for i in range(4)])
    assert torch.allclose(classifier(pictures), alone, atol=1e-5)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_gradients_reach_the_picture(name):
    torch.manual_seed(0)
    side = CLASSIFIERS[name].data.side
    pictures = torch.rand(2, 1, side, side, requires_grad=True)
    CLASSIFIERS[name].builder(name)().eval()(pictures)[:, 3].sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().sum(dim=(1, 2, 3)).gt(0).all()


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_the_two_of_the_pair_differ_in_capacity_and_neither_is_the_referee(world):
    small, large = sorted(sum(p.numel() for p in world.builder(name)().parameters()) for name in world.pair)
    assert large > 2 * small
    assert world.referee not in world.pair


def test_there_are_classifiers_of_garments_of_many_kinds_and_no_two_are_made_alike():
    made = [(f.kind, f.channels, f.hidden, f.smoothed, f.augmentation, f.examples) for f in GARMENTS.classifiers.values()]
    assert len(set(made)) == len(made) >= 12
    assert len({kind for kind, *_ in made}) >= 6


def test_a_family_says_how_it_is_trained():
    assert DIGITS.classifiers["mnist-referee"].recipe.endswith("gradients up to 100; each picture jittered")
    family = Family("some", "Some.", "linear", epochs=4, smoothed=0.3, pull=-2.0, examples=10_000)
    assert family.recipe.startswith("4 epochs, batches of 128, rate 0.002, decay 0")
    assert family.recipe.endswith("; targets smoothed by 0.3 with pull -2; the first 10,000 pictures only")


@of_a_side
def test_the_generator_paints_in_zero_to_one_and_gradients_reach_its_latent(side):
    torch.manual_seed(0)
    generator = ConditionalGenerator(side=side).eval()
    u, y = torch.randn(3, generator.latent, requires_grad=True), torch.tensor([0, 5, 9])
    pictures = generator(u, y)
    assert pictures.shape == (3, 1, side, side)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    pictures.sum().backward()
    assert u.grad is not None
    assert u.grad.abs().sum(1).gt(0).all()


@of_a_side
def test_the_referee_reads_from_its_own_features(side):
    torch.manual_seed(0)
    referee, pictures = Referee(side=side).eval(), torch.rand(2, 1, side, side)
    assert torch.equal(referee(pictures), referee.read(referee.features(pictures)))
