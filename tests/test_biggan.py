"""BigGAN-deep as a generator: equal to the published package on the same weights, which are read as that package writes them.

Most tests run on an eighth of the channels; those of full width are slow.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

import gevaldi
from gevaldi.errors import MissingExtra, SpecError, UnknownName, WeightsError
from gevaldi.generators import load_generator
from gevaldi.generators._biggan_deep import BigganDeep, at_truncation
from gevaldi.label_files import ilsvrc_labels
from gevaldi.priors.truncated_normal import TruncatedNormal

NARROW = 16  # in place of 128
TRUNCATIONS = (0.02, 0.4, 0.43, 0.5, 1.0)
LARGER = [pytest.param(size, marks=pytest.mark.slow) for size in (256, 512)]
NAME = "biggan-deep-128"
ROUNDING = 1e-5  # of pictures in [0, 1]


@torch.no_grad()
def reference(size: int, width: int = NARROW) -> Any:
    """The network of pytorch-pretrained-biggan with random weights, whose pictures are neither grey nor NaN."""
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig, convert_tf_to_pytorch

    published = getattr(convert_tf_to_pytorch, f"BigGAN{size}").to_dict()
    with torch.random.fork_rng():
        torch.manual_seed(size)
        network = BigGAN(BigGANConfig.from_dict(published | {"channel_width": width})).eval()
        for part in network.modules():
            if hasattr(part, "running_means"):
                part.running_means.normal_(0, 0.1)
                part.running_vars.uniform_(0.15, 0.45)
            if hasattr(part, "weight_orig"):
                iterate(part)
        network.generator.bn.weight.uniform_(0.25, 0.75)
        network.generator.bn.bias.normal_(0, 0.1)
        network.generator.layers[8].gamma.fill_(0.7)
    return network


def iterate(part: Any, times: int = 15) -> None:
    """Bring u and v near the first singular vectors, as training does; without it σ is near zero, and pictures are NaN."""
    matrix = part.weight_orig.flatten(1)
    for _ in range(times):
        part.weight_v = F.normalize(matrix.T @ part.weight_u, dim=0)
        part.weight_u = F.normalize(matrix @ part.weight_v, dim=0)


def asked(network: Any, z: torch.Tensor, classes: torch.Tensor, truncation: float) -> torch.Tensor:
    """The pictures of the reference, in [0, 1]."""
    pictures: torch.Tensor = network(z, F.one_hot(classes, 1000).float(), truncation)
    return (pictures + 1) / 2


def started(count: int, truncation: float) -> tuple[torch.Tensor, torch.Tensor]:
    z = TruncatedNormal(128, scale=truncation).sample(range(count))
    return z, torch.tensor([3, 981, 10, 999])[:count]


def stored(folder: Path, network: Any, prefix: str = "", config: bool = True) -> Path:
    """As the package publishes its weights."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / f"{prefix}pytorch_model.bin"
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    if config:
        (folder / f"{prefix}config.json").write_text(network.config.to_json_string())
    return path


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gevaldi.generators._biggan_deep.MULTIPLE", NARROW)


@pytest.fixture(scope="module")
def small() -> Any:
    return reference(128)


def test_names_are_listed_without_importing_torch() -> None:
    script = (
        "import sys; from gevaldi.generators.biggan import Biggan; print(*Biggan().names()); "
        "assert not {'torch', 'huggingface_hub'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["biggan-deep-128", "biggan-deep-256", "biggan-deep-512"]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("size", [128, *LARGER])
def test_pictures_of_narrow_networks_are_those_of_the_reference(size: int, tmp_path: Path) -> None:
    network = reference(size)
    found = load_generator(f"biggan:biggan-deep-{size},weights={stored(tmp_path, network)},truncation=0.43")
    z, classes = started(2, 0.43)
    with torch.no_grad():
        expected, pictures = asked(network, z, classes, 0.43), found(z, classes)
    assert pictures.shape == (2, 3, size, size)
    assert expected.std((2, 3)).mean() > 0.03
    assert (pictures - expected).abs().max() < ROUNDING


@pytest.mark.slow
def test_pictures_of_full_width_are_those_of_the_reference(tmp_path: Path) -> None:
    network = reference(128, 128)
    found = load_generator(f"biggan:{NAME},weights={stored(tmp_path, network)},truncation=0.43")
    z, classes = started(1, 0.43)
    with torch.no_grad():
        assert (found(z, classes) - asked(network, z, classes, 0.43)).abs().max() < ROUNDING


@pytest.mark.slow
@pytest.mark.parametrize("size", [256, 512])
def test_larger_networks_of_full_width_have_the_weights_of_the_reference(size: int) -> None:
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig, convert_tf_to_pytorch

    with torch.device("meta"):  # what is computed from them is compared at less width, in less time
        published = BigGAN(BigGANConfig.from_dict(getattr(convert_tf_to_pytorch, f"BigGAN{size}").to_dict())).state_dict()
        ours = BigganDeep(size).state_dict()
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in published.items()}
    assert sum(map(torch.numel, ours.values())) > 50_000_000


@pytest.mark.usefixtures("narrow")
def test_pictures_of_truncations_on_and_between_the_grid_are_those_of_the_reference(small: Any, tmp_path: Path) -> None:
    path = stored(tmp_path, small)
    for truncation in TRUNCATIONS:
        found = load_generator(f"biggan:{NAME},weights={path},truncation={truncation}")
        z, classes = started(2, truncation)
        with torch.no_grad():
            assert (found(z, classes) - asked(small, z, classes, truncation)).abs().max() < ROUNDING


@given(st.floats(1e-6, 1.0) | st.sampled_from([k / 50 for k in range(1, 51)]))
def test_statistics_are_those_that_the_reference_takes_for_any_truncation(truncation: float) -> None:
    from pytorch_pretrained_biggan.model import BigGANBatchNorm

    norm = BigGANBatchNorm(3, conditional=False, eps=0.0)
    norm.running_means = torch.randn(51, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        norm.weight.fill_(1)
        norm.bias.fill_(0)
        expected = -norm(torch.zeros(1, 3, 1, 1), truncation).flatten()
    assert torch.allclose(at_truncation(norm.running_means, truncation), expected, atol=1e-6)


@pytest.mark.usefixtures("narrow")
def test_pictures_and_gradients_with_respect_to_the_latent_are_those_of_the_reference_in_double_precision(small: Any) -> None:
    theirs, ours = deepcopy(small).double(), BigganDeep(128).double()
    ours.load_state_dict(theirs.state_dict())
    ours.fold(0.5)
    z, classes = started(2, 0.5)
    z = z.double().requires_grad_()
    towards = torch.randn(2, 3, 128, 128, generator=torch.Generator().manual_seed(0)).double()
    pictures, expected = ours(z, classes), theirs(z, F.one_hot(classes, 1000).double(), 0.5)
    assert (pictures - expected).abs().max() < 1e-12
    gradient, wanted = (torch.autograd.grad((found * towards).sum(), z)[0] for found in (pictures, expected))
    assert (wanted != 0).all()
    assert (gradient - wanted).abs().max() < 1e-12 * wanted.abs().max()


@pytest.mark.usefixtures("narrow")
def test_gradients_go_to_the_latent_and_to_nothing_else() -> None:
    found = load_generator(f"biggan:{NAME},weights=random")
    z, classes = started(2, 0.4)
    (gradient,) = torch.autograd.grad(found(z.requires_grad_(), classes).sum(), z)
    assert (gradient != 0).all()
    assert not any(parameter.requires_grad for parameter in found.parameters())


def folder_of_the_package(folder: Path, network: Any) -> Path:
    return stored(folder, network).parent


def folder_of_several_sizes(folder: Path, network: Any) -> Path:
    stored(folder, nn.Linear(2, 2), "biggan-deep-256-", config=False)
    return stored(folder, network, f"{NAME}-").parent


def file_with_the_size_in_its_name(folder: Path, network: Any) -> Path:
    return stored(folder, network, f"{NAME}-")


def file_of_any_name(folder: Path, network: Any) -> Path:
    return stored(folder, network).rename(folder / "mine.pt")


def folder_of_safetensors(folder: Path, network: Any) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(network.state_dict(), folder / "model.safetensors")
    return folder


def file_of_training_on_several_machines(folder: Path, network: Any) -> Path:
    state = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, folder / "checkpoint.pth")
    return folder / "checkpoint.pth"


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "written",
    [
        folder_of_the_package,
        folder_of_several_sizes,
        file_with_the_size_in_its_name,
        file_of_any_name,
        folder_of_safetensors,
        file_of_training_on_several_machines,
    ],
)
def test_weights_are_read_as_they_are_published(written: Callable[[Path, Any], Path], small: Any, tmp_path: Path) -> None:
    found = load_generator(f"biggan:{NAME},weights={written(tmp_path, small)}")
    z, classes = started(1, 0.4)
    with torch.no_grad():
        assert (found(z, classes) - asked(small, z, classes, 0.4)).abs().max() < ROUNDING


@pytest.mark.usefixtures("narrow")
def test_the_epsilon_of_the_configuration_beside_the_weights_is_heard(small: Any, tmp_path: Path) -> None:
    network = deepcopy(small)
    network.config.eps = 0.05
    for part in network.modules():
        if hasattr(part, "running_means"):
            part.eps = 0.05
    stored(tmp_path / "here", network)
    z, classes = started(1, 0.4)
    pictures = load_generator(f"biggan:{NAME},weights={tmp_path / 'here'}")(z, classes)
    with torch.no_grad():
        assert (pictures - asked(network, z, classes, 0.4)).abs().max() < ROUNDING
        assert (pictures - asked(small, z, classes, 0.4)).abs().max() > 1e-2
    (tmp_path / "here" / "config.json").write_text("{eps}")
    with pytest.raises(WeightsError, match=r"config\.json is no configuration of BigGAN"):
        load_generator(f"biggan:{NAME},weights={tmp_path / 'here'}")


@pytest.mark.usefixtures("narrow")
def test_spectral_norms_and_statistics_are_folded_in_and_a_copy_is_the_same(small: Any) -> None:
    network = BigganDeep(128)
    network.load_state_dict(small.state_dict())
    unfolded = sum(value.numel() for value in network.state_dict().values())
    network.fold(0.4)
    keys = set(network.state_dict())
    assert not any("orig" in key or "running" in key or key.endswith(("_u", "_v")) for key in keys)
    assert sum(value.numel() for value in network.state_dict().values()) < 0.95 * unfolded
    z, classes = started(1, 0.4)
    assert torch.equal(deepcopy(network)(z, classes), network(z, classes))


@pytest.mark.usefixtures("narrow")
def test_weights_of_another_size_are_refused_with_the_keys_that_differ_and_their_number(tmp_path: Path) -> None:
    path = stored(tmp_path, reference(256))
    words = r"another architecture than BigganDeep: generator\.layers\..* came as .*; and \d+ more\. Are they of biggan-deep-128\?"
    with pytest.raises(WeightsError, match=words):
        load_generator(f"biggan:{NAME},weights={path}")


@pytest.mark.usefixtures("narrow")
def test_files_that_are_no_weights_of_it_are_answered(small: Any, tmp_path: Path) -> None:
    whole = stored(tmp_path, small, config=False)
    (tmp_path / "cut.bin").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "header.bin").write_bytes(whole.read_bytes()[:500])
    (tmp_path / "empty.bin").write_bytes(b"")
    short = small.state_dict()
    del short["generator.gen_z.weight_u"]
    torch.save(short, tmp_path / "short.bin")
    (tmp_path / "nothing").mkdir()
    for weights, words in (
        ("cut.bin", "not a whole PyTorch file.*Are they of biggan-deep-128"),
        ("header.bin", "not a whole PyTorch file"),
        ("empty.bin", "not a whole PyTorch file"),
        ("short.bin", r"gen_z\.weight_u came as nothing, expected was \(4096,\)"),
        ("nothing", "no weights in the folder .*; one of biggan-deep-128-model.safetensors, .*pytorch_model.bin was expected"),
        ("none.bin", "no weights at"),
    ):
        with pytest.raises(WeightsError, match=words):
            load_generator(f"biggan:{NAME},weights={tmp_path / weights}")


@pytest.mark.usefixtures("narrow")
def test_a_pickle_is_refused_unless_it_is_asked_for_by_name(small: Any, tmp_path: Path) -> None:
    torch.save(nn.ModuleDict(small.named_children()), tmp_path / "module.bin")
    with pytest.raises(WeightsError, match="say pickle=true"):
        load_generator(f"biggan:{NAME},weights={tmp_path / 'module.bin'}")
    assert load_generator(f"biggan:{NAME},weights={tmp_path / 'module.bin'},pickle=true").conditions


def test_impossible_truncations_and_unknown_names_are_answered() -> None:
    for truncation in (0, -0.4, 1.01, 2, "NaN"):
        with pytest.raises(SpecError, match="above 0 and at most 1 was expected"):
            load_generator(f"biggan:{NAME},truncation={truncation},weights=random")
    with pytest.raises(UnknownName, match="'biggan-deep-256'"):
        load_generator("biggan:biggan-256,weights=random")


@pytest.mark.usefixtures("narrow")
def test_conditions_are_the_classes_of_imagenet_and_the_prior_is_cut_at_twice_the_truncation() -> None:
    found = load_generator(f"biggan:{NAME},weights=random,truncation=0.3")
    assert found.conditions == ilsvrc_labels()
    assert (found.conditions[10].name, found.conditions[10].id, found.name) == ("brambling", "n01530575", NAME)
    assert isinstance(found.prior, TruncatedNormal)
    assert (found.prior.shape, found.prior.threshold, found.prior.scale) == ((128,), 2.0, 0.3)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("size", [128, *LARGER])
def test_random_weights_are_always_the_same_and_give_pictures_that_vary(size: int) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    name = f"biggan:biggan-deep-{size},weights=random"
    one, other = load_generator(name), load_generator(name)
    assert torch.equal(torch.random.get_rng_state(), before)
    z, _ = started(2, 0.4)
    same = z[:1].expand(2, -1)
    with torch.no_grad():
        of_classes, of_latents = one(same, torch.tensor([0, 500])), one(z, torch.tensor([0, 0]))
        assert torch.equal(of_classes, other(same, torch.tensor([0, 500])))
    for pictures in (of_classes, of_latents):
        assert ((pictures >= 0) & (pictures <= 1)).all()
        assert pictures.std((2, 3)).min() > 0.05
        assert (pictures[0] - pictures[1]).abs().mean() > 0.05


@pytest.mark.usefixtures("narrow")
def test_a_batch_equals_its_members_alone() -> None:
    found = load_generator(f"biggan:{NAME},weights=random")
    z, classes = started(4, 0.4)
    with torch.no_grad():
        together, alone = found(z, classes), [found(z[i : i + 1], classes[i : i + 1]) for i in range(4)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-6)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
def test_the_order_in_memory_changes_nothing_but_rounding(memory: torch.memory_format) -> None:
    found = load_generator(f"biggan:{NAME},weights=random")
    z, classes = started(2, 0.4)
    with torch.no_grad():
        assert torch.allclose(found(z, classes), deepcopy(found).to(memory_format=memory)(z, classes), atol=1e-6)


@pytest.mark.usefixtures("narrow")
def test_half_and_double_precision_are_taken_and_weights_in_half_precision_are_widened(small: Any, tmp_path: Path) -> None:
    halves = {key: value.half() for key, value in small.state_dict().items()}
    save_file(halves, tmp_path / "model.safetensors")
    found = load_generator(f"biggan:{NAME},weights={tmp_path}")
    z, classes = started(2, 0.4)
    with torch.no_grad():
        pictures = found(z, classes)
        assert pictures.dtype == torch.float32
        assert (pictures - asked(small, z, classes, 0.4)).abs().mean() < 0.01
        for dtype, error in ((torch.bfloat16, 0.02), (torch.float64, 1e-6)):
            other = deepcopy(found).to(dtype)(z, classes)
            assert other.dtype == dtype
            assert ((other >= 0) & (other <= 1)).all()
            assert (other.double() - pictures).abs().mean() < error


def unreachable(*args: Any, **kwargs: Any) -> Any:
    raise URLError("Name or service not known")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Empty caches, and no network."""
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path


@pytest.mark.usefixtures("elsewhere")
def test_without_a_network_the_user_is_told_what_to_fetch_and_how_to_do_without(capsys: pytest.CaptureFixture[str]) -> None:
    words = r"s3\.amazonaws\.com/models.huggingface.co/biggan/biggan-deep-256-pytorch_model\.bin \(.*not known.*\)"
    with pytest.raises(WeightsError, match=words + r".*biggan:biggan-deep-256,weights=FILE"):
        load_generator("biggan:biggan-deep-256")
    with pytest.raises(WeightsError, match=r"the Hugging Face hub \(me/mine\) .*not known.*weights=FILE"):
        load_generator(f"biggan:{NAME},weights=hub:me/mine")
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.partition(" to ")[0] for line in said.err.splitlines()] == [
        "gevaldi: fetching weights from https://s3.amazonaws.com/models.huggingface.co/biggan/biggan-deep-256-pytorch_model.bin",
        "gevaldi: fetching weights from https://huggingface.co/me/mine",
    ]
    assert all(line.endswith(",weights=FILE") for line in said.err.splitlines())


@pytest.mark.usefixtures("narrow")
def test_weights_in_the_cache_of_the_hub_are_taken_before_any_are_fetched(
    elsewhere: Path, small: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for repository in ("osanseviero--BigGAN-deep-128", "me--mine"):
        place = elsewhere / "hub" / f"models--{repository}"
        stored(place / "snapshots" / ("0" * 40), small)
        (place / "refs").mkdir()
        (place / "refs" / "main").write_text("0" * 40)
    for name in (f"biggan:{NAME}", f"biggan:{NAME},weights=hub:me/mine"):
        assert load_generator(name).name == NAME
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("narrow")
def test_fetched_weights_are_kept_and_not_fetched_twice(
    elsewhere: Path, small: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stored(elsewhere / "server", small)
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **kwargs: path.open("rb"))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda address, target, progress: shutil.copy(path, target))
    load_generator(f"biggan:{NAME}")
    kept = elsewhere / "torch" / "hub" / "checkpoints" / f"{NAME}-pytorch_model.bin"
    assert f"to {kept};" in capsys.readouterr().err
    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    load_generator(f"biggan:{NAME}")
    assert capsys.readouterr().err == ""
    kept.write_bytes(kept.read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"not a whole PyTorch file.*Delete it, and it is fetched again"):
        load_generator(f"biggan:{NAME}")


@pytest.mark.usefixtures("narrow")
def test_what_a_repository_of_the_hub_holds_is_fetched_and_one_without_weights_is_answered(
    elsewhere: Path, small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(elsewhere / "snapshot", small)
    (elsewhere / "empty").mkdir()
    asked_for: list[Any] = []

    def snapshot(hub_id: str, allow_patterns: list[str]) -> str:
        asked_for.append(allow_patterns)
        return str(elsewhere / hub_id.partition("/")[2])

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    monkeypatch.setattr("gevaldi.classifiers._hub.refuse_without_network", lambda: None)
    assert load_generator(f"biggan:{NAME},weights=hub:me/snapshot").name == NAME
    assert {"pytorch_model.bin", "config.json", f"{NAME}-pytorch_model.bin"} <= set(asked_for[0])
    with pytest.raises(WeightsError, match="no weights in the folder"):
        load_generator(f"biggan:{NAME},weights=hub:me/empty")


def test_without_the_client_of_the_hub_the_user_is_told_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install huggingface_hub"):
        load_generator(f"biggan:{NAME},weights=hub:me/mine")


class Colours(nn.Module):
    """A classifier of 1,000 classes by the mean colours of an 8 x 8 grid."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.decide = nn.Linear(3 * 8 * 8, 1000)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        decided: torch.Tensor = self.decide(F.adaptive_avg_pool2d(pictures, 8).flatten(1))
        return decided * 5


@pytest.mark.slow
@pytest.mark.usefixtures("narrow")
def test_a_search_in_its_latent_space_finds_more_difference_and_stays_in_the_prior(tmp_path: Path) -> None:
    first, second = (gevaldi.classifier(Colours(seed), labels=ilsvrc_labels()).eval() for seed in (0, 1))
    settings: dict[str, Any] = {"samples": 1, "steps": 3, "batch_size": 1, "device": "cpu", "orders": "forward", "audited": 2}
    settings["goal"] = "most divergent"
    done = gevaldi.compare(first, second, f"biggan:{NAME},weights=random", out=tmp_path / "run", conditions=[10, 1], **settings)
    for row in done.rows().to_dict("records"):
        assert row["divergence_end"] > row["divergence_start"]
        assert row["typicality_end"] <= 0.9991
        assert np.abs(row["z_end"]).max() <= 0.8 + 1e-6
    assert json.loads((tmp_path / "run" / "run.json").read_text())
    assert done.run.record["taxonomy"]["name"] == "ilsvrc"
