"""BigGAN-deep with its published weights as a generator."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import MissingExtra, SpecError, UnknownName, WeightsError
from gevaldi.fetching import announce
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.models import Generator

SIZES = {"biggan-deep-128": 128, "biggan-deep-256": 256, "biggan-deep-512": 512}  # pixels a side
HUB = {"biggan-deep-128": "osanseviero/BigGAN-deep-128"}  # no repository is known that holds the other two
PUBLISHED = "https://s3.amazonaws.com/models.huggingface.co/biggan"  # where pytorch-pretrained-biggan fetches all three from
FILES = ("model.safetensors", "pytorch_model.bin")  # the size may stand before: biggan-deep-128-pytorch_model.bin
CONFIG = "config.json"


class Biggan:
    """BigGAN-deep, a generator of ImageNet's 1,000 classes [Brock 2018]: `biggan:biggan-deep-128,truncation=0.4`.

    Options: `truncation`, above 0 and up to 1, trades variety for fidelity (0.4); `weights=FILE` or `weights=FOLDER` in place of
    the published ones, in their format (safetensors, or a PyTorch file of tensors); `weights=hub:OWNER/REPOSITORY` for those in a
    repository of the Hugging Face hub; `weights=random` for none; `pickle=true` for a PyTorch file that holds more than tensors.
    """

    def names(self) -> list[str]:
        """One for each size of pictures."""
        return list(SIZES)

    def load(self, name: str, /, *, truncation: float = 0.4, weights: str | None = None, pickle: bool = False) -> "Generator":
        """The generator; its prior is a standard normal cut at ±2, times the truncation, its conditions the classes of ILSVRC.

        Raises:
            UnknownName: there is no BigGAN-deep of that name.
            SpecError: the truncation is impossible.
            WeightsError: the weights cannot be fetched or read, or are of another size.
            MissingExtra: weights of the hub were asked for, and its client is not installed.
        """
        import torch

        from gevaldi.checkpoints import fill
        from gevaldi.classifiers._imagenet import RANDOM
        from gevaldi.generators._biggan_deep import EPSILON, LATENT, BigganDeep, initialise
        from gevaldi.label_files import ilsvrc_labels
        from gevaldi.models import generator
        from gevaldi.priors.truncated_normal import TruncatedNormal

        if name not in SIZES:
            raise UnknownName("BigGAN", name, SIZES)
        if not 0 < truncation <= 1:
            raise SpecError(
                f"truncation={truncation} was given; above 0 and at most 1 was expected, since BigGAN's statistics are of these."
            )
        path = None if weights == RANDOM else _at_hand(name, weights)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = BigganDeep(SIZES[name], _epsilon(path, EPSILON) if path else EPSILON)
            if path:
                remedy = f"Are they of {name}?" if weights else "Delete it, and it is fetched again."
                fill(network, path, allow_pickle=pickle, remedy=remedy)
            network.fold(truncation)
            if not path:
                initialise(network)
        prior = TruncatedNormal(LATENT, threshold=2.0, scale=truncation)
        return generator(network, prior, ilsvrc_labels(), output_range=(-1.0, 1.0), name=name).eval()


def _at_hand(name: str, weights: str | None) -> Path:
    """The file of weights that a user names, or else the published one, fetched where it is not on this machine."""
    if weights is None:
        return _cached(name, HUB.get(name)) or _downloaded(name)
    source, _, hub_id = weights.partition(":")
    if source == "hub" and hub_id:
        return _from_hub(name, hub_id)
    path = local_path(weights)
    return _within(path, name) if path.is_dir() else path


def _candidates(name: str) -> list[str]:
    return [f"{prefix}{file}" for prefix in (f"{name}-", "") for file in FILES]


def _within(folder: Path, name: str) -> Path:
    """The weights in a folder; of several sizes, those that bear the name."""
    found = [folder / file for file in _candidates(name) if (folder / file).is_file()]
    if not found:
        raise WeightsError(f"There are no weights in the folder {folder}; one of {', '.join(_candidates(name))} was expected.")
    return found[0]


def _epsilon(path: Path, published: float) -> float:
    """The ε of batch normalisation that the configuration beside the weights states, since it does not show in them."""
    prefix = next((path.name.removesuffix(file) for file in FILES if path.name.endswith(file)), None)
    if prefix is None:
        return published  # a file of any name, beside which a configuration may belong to anything
    configs = [config for config in (path.with_name(prefix + CONFIG), path.with_name(CONFIG)) if config.is_file()]
    try:
        return float(json.loads(configs[0].read_text(encoding="utf-8")).get("eps", published)) if configs else published
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{configs[0]} is no configuration of BigGAN ({error}). Fetch it again, or delete it.") from error


def _cached(name: str, hub_id: str | None) -> Path | None:
    """The weights in the cache that the hub's client keeps on this machine, where there are any."""
    from importlib.util import find_spec

    if hub_id is None or find_spec("huggingface_hub") is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(hub_id, file) for file in _candidates(name)]
    return next((Path(file) for file in found if isinstance(file, str)), None)


def _from_hub(name: str, hub_id: str) -> Path:
    from importlib.util import find_spec

    asked = f"biggan:{name},weights=hub:{hub_id}"
    if find_spec("huggingface_hub") is None:
        raise MissingExtra("huggingface_hub", asked)
    from huggingface_hub import constants, snapshot_download

    from gevaldi.classifiers._hub import refuse_without_network

    cached = _cached(name, hub_id)
    if cached:
        return cached
    try:
        _announce(f"{constants.ENDPOINT}/{hub_id}", constants.HF_HUB_CACHE, name)
        refuse_without_network()
        configs = [f"{name}-{CONFIG}", CONFIG]
        return _within(Path(snapshot_download(hub_id, allow_patterns=[*_candidates(name), *configs])), name)
    except (OSError, RuntimeError, ValueError) as error:
        raise _unreachable(name, f"the Hugging Face hub ({hub_id})", error) from error


def _downloaded(name: str) -> Path:
    """The published weights in torch's cache, fetched before where they are not there."""
    from urllib.request import urlopen

    import torch

    file = f"{name}-pytorch_model.bin"
    target, address = Path(torch.hub.get_dir()) / "checkpoints" / file, f"{PUBLISHED}/{file}"
    if target.is_file():
        return target
    try:
        _announce(address, target, name)
        urlopen(address, timeout=10).close()  # torch's own client waits as long as the system does
        target.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(address, str(target), progress=sys.stderr.isatty())
    except (OSError, RuntimeError) as error:
        raise _unreachable(name, address, error) from error
    return target


def _announce(source: str, target: str | Path, name: str) -> None:
    announce(f"weights from {source} to {target}", f"name a file: biggan:{name},weights=FILE")


def _unreachable(name: str, source: str, error: Exception) -> WeightsError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return WeightsError(
        f"The weights of biggan:{name} are not at hand: they could not be fetched from {source} ({reason}). Fetch them where there "
        f"is a network and name the file or its folder, biggan:{name},weights=FILE. For an untrained network, weights=random."
    )
