"""Laws for every prior, and reference values from scipy and torch.distributions."""

import math

import pytest
import torch
from scipy import stats
from scipy.integrate import trapezoid

from gevaldi.priors import registry
from gevaldi.priors.base import Prior

MADE = {
    "standard-normal": lambda: registry.get("standard-normal")(4),
    "gaussian": lambda: registry.get("gaussian")(torch.tensor([3.0, -1.0, 0.5]), scale=0.7),
    "uniform": lambda: registry.get("uniform")(3, low=-2.0, high=1.0),
    "truncated-normal": lambda: registry.get("truncated-normal")(5, threshold=2.0, scale=0.5),
}


def test_every_prior_is_under_these_laws() -> None:
    assert set(MADE) == set(registry.names())


@pytest.fixture(params=sorted(MADE))
def prior(request: pytest.FixtureRequest) -> Prior:
    return MADE[request.param]()


def test_a_sample_is_its_seed_whoever_else_is_drawn(prior: Prior) -> None:
    together = prior.sample([11, 5, 2**62])
    assert torch.equal(together[1:2], prior.sample([5]))
    assert not torch.equal(together[0], together[1])
    assert together.shape == (3, *prior.shape)


def test_standard_normal_numbers_stand_for_what_the_prior_draws(prior: Prior) -> None:
    u = torch.randn(4000, *prior.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    z = prior.from_normal(u)
    for own, drawn in zip(z.T.numpy(), prior.sample(range(4000)).T.numpy(), strict=True):
        assert stats.ks_2samp(own, drawn).pvalue > 1e-4
    assert stats.kstest(prior.typicality(z).numpy(), "uniform").pvalue > 1e-3
    torch.testing.assert_close(prior.to_normal(z), u, rtol=1e-9, atol=1e-9)


def test_normal_numbers_of_draws_and_of_extremes_are_finite(prior: Prior) -> None:
    drawn = prior.sample(range(4000)).double()
    torch.testing.assert_close(prior.from_normal(prior.to_normal(drawn)), drawn, rtol=1e-6, atol=1e-6)
    extremes = prior.from_normal(torch.full((2, *prior.shape), 1.0, dtype=torch.float64) * torch.tensor([[-30.0], [30.0]]))
    assert extremes.isfinite().all()
    assert prior.log_prob(extremes).isfinite().all()
    assert prior.to_normal(extremes).isfinite().all()


def test_typicality_of_what_the_prior_draws_is_uniform(prior: Prior) -> None:
    typicality = prior.typicality(prior.sample(range(4000))).numpy()
    assert stats.kstest(typicality, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("mass", [0.5, 0.999])
def test_projection_ends_inside_and_leaves_alone_what_is_inside(prior: Prior, mass: float) -> None:
    z = prior.sample(range(500))
    centre = z.mean(0)
    wide = centre + 3 * (z - centre)
    projected = prior.project(wide, mass)
    assert (prior.typicality(projected) <= mass + 1e-3).all()
    inside = prior.typicality(z) < mass - 2e-3
    assert torch.allclose(prior.project(z, mass)[inside], z[inside], atol=1e-6)
    assert (prior.typicality(projected) > mass - 0.05).any()


SIZED = {
    "standard-normal": lambda size: registry.get("standard-normal")(size),
    "gaussian": lambda size: registry.get("gaussian")(torch.linspace(-3, 3, size), scale=0.3),
    "uniform": lambda size: registry.get("uniform")(size, low=0.0, high=1.0),
    "truncated-normal": lambda size: registry.get("truncated-normal")(size, scale=0.5),
}


@pytest.mark.parametrize("name", sorted(SIZED))
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 10, 16, 64, 128, 512])
@pytest.mark.parametrize("mass", [0.9, 0.999])
def test_what_is_projected_counts_as_inside_in_any_number_of_dimensions(name: str, size: int, mass: float) -> None:
    prior = SIZED[name](size)
    z = prior.sample(range(50))
    wide = z.mean(0) + 5 * (z - z.mean(0))
    assert (prior.typicality(prior.project(wide, mass)) <= mass).all()


@pytest.mark.parametrize("name", sorted(SIZED))
def test_typicality_needs_no_float64_on_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Device(torch.Tensor):
        """As on an MPS device: a tensor there cannot become float64 before it is on the CPU."""

        def double(self) -> torch.Tensor:
            raise TypeError("no float64 on this device")

        def cpu(self) -> torch.Tensor:
            return self.as_subclass(torch.Tensor)

    z = SIZED[name](4).sample([0, 1]).as_subclass(Device)
    assert SIZED[name](4).typicality(z).shape == (2,)


def test_log_prob_integrates_to_one() -> None:
    line = torch.linspace(-8, 8, 16001)[:, None]
    one_dimensional = [
        registry.get("standard-normal")(1),
        registry.get("gaussian")(torch.tensor([1.0]), scale=0.5),
        registry.get("uniform")(1, low=-1.0, high=3.0),
    ]
    for prior in [*one_dimensional, registry.get("truncated-normal")(1, threshold=1.5, scale=2.0)]:
        assert trapezoid(prior.log_prob(line).exp().numpy(), line[:, 0].numpy()) == pytest.approx(1, abs=2e-3)


def test_log_prob_is_that_of_torch_distributions_and_scipy() -> None:
    z = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    normal = torch.distributions.Normal(2.0, 1.5).log_prob(z).sum(-1)
    assert torch.allclose(registry.get("gaussian")(torch.full((3,), 2.0), scale=1.5).log_prob(z), normal, atol=1e-5)
    cut = stats.truncnorm(-1.0, 1.0, scale=1.0)
    inside = z.clamp(-0.99, 0.99)
    expected = cut.logpdf(inside.numpy()).sum(-1)
    assert registry.get("truncated-normal")(3, threshold=1.0).log_prob(inside).numpy() == pytest.approx(expected, abs=1e-4)


def test_typicality_of_a_gaussian_is_the_chi_squared_quantile_of_its_norm() -> None:
    z = torch.full((1, 20), math.sqrt(stats.chi2.ppf(0.999, 20) / 20))
    assert registry.get("standard-normal")(20).typicality(z).item() == pytest.approx(0.999, abs=1e-5)


def test_a_prior_with_an_impossible_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="low below high"):
        registry.get("uniform")(2, low=1.0, high=1.0)
    with pytest.raises(ValueError, match="scale=-1"):
        registry.get("gaussian")(torch.zeros(2), scale=-1)
