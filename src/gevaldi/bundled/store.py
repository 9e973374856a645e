"""Trained networks on disk: safetensors files in half precision, each written whole, read back in full precision."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from gevaldi.bundled.worlds import World, world_of
from gevaldi.errors import SpecError, WeightsError
from gevaldi.files import write_whole
from gevaldi.weights import check_architecture, read_safetensors


def load(name: str, folder: Path | None = None) -> nn.Module:
    """A bundled network by its name, e.g. `mnist-strided`: in eval mode, in single precision, with no gradients to its weights.

    `folder` is where `<name>.safetensors` lies; by default the weights that ship with GeValDi.

    Raises:
        UnknownName: no bundled network has that name.
        SpecError: it does not ship, and no folder is given.
        WeightsError: the file is missing, truncated or damaged, or of another architecture.
    """
    world = world_of(name)
    if folder is None and name not in world.shipped:
        raise SpecError(
            f"{name} does not ship with gevaldi; {', '.join(world.shipped)} do. Train it with {world.data.command} --out FOLDER, "
            f"then write bundled:{name},folder=FOLDER"
        )
    return load_file(_path(world, name, folder), world.builder(name), world.data.command)


def load_seed(name: str, seed: int) -> nn.Module:
    """A bundled network that was trained with another seed than 0, ready as `load` says.

    Raises:
        SpecError: none of this seed ships.
        WeightsError: the file is missing, truncated or damaged.
    """
    world = world_of(name)
    if seed not in world.seeds[name]:
        seeds = ", ".join(map(str, (0, *world.seeds[name])))
        raise SpecError(
            f"bundled:{name} ships with the seeds {seeds}; seed={seed} was requested. {world.data.command} trains others."
        )
    return load_file(world.folder / "seeds" / f"{name}-seed-{seed}.safetensors", world.builder(name), world.data.command)


def load_file(path: Path, build: Callable[[], nn.Module], command: str) -> nn.Module:
    """The network of a weights file, ready as `load` says; `build` makes one of its architecture, and `command` trained it.

    Raises:
        WeightsError: the file is missing, truncated or damaged, or of another architecture.
    """
    tensors, _ = read_weights(path, command)
    with torch.random.fork_rng(devices=[]):  # a network draws initial weights, which must not move the caller's random numbers
        network = build()
    remedy = "The file may be of another version of gevaldi, or under the wrong name: delete it and train it again."
    check_architecture(path, network, tensors, remedy)
    network.load_state_dict(tensors)
    network.to(memory_format=torch.channels_last)  # max pooling and its gradient then take half the time on a CPU
    return network.eval().requires_grad_(False)


def metadata(name: str, folder: Path | None = None) -> dict[str, str]:
    """What a weights file says of itself: data, seed, command, versions and measured figures.

    Raises:
        WeightsError: the file is missing, truncated or damaged.
    """
    world = world_of(name)
    return read_weights(_path(world, name, folder), world.data.command)[1]


def _path(world: World, name: str, folder: Path | None) -> Path:
    return (world.folder if folder is None else folder) / f"{name}.safetensors"


def read_weights(path: Path, command: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a model's file and the metadata in its header.

    Raises:
        WeightsError: the file is missing, truncated or damaged.
    """
    return read_safetensors(path, f"Install gevaldi again, or train it: {command} --out {path.parent}")


def check_origin(path: Path, expected: Mapping[str, str]) -> None:
    """That a finished file was made from what is expected: name, data, seed, settings and command.

    Raises:
        WeightsError: it was not, or it is damaged.
    """
    found = read_weights(path, expected["command"])[1]
    for key, value in expected.items():
        if found.get(key) != value:
            raise WeightsError(
                f"{path} has {key} {found.get(key, 'unknown')!r}; this training has {key} {value!r}. "
                "Choose another folder, or delete the file to train the model again."
            )


def round_to_half(network: nn.Module) -> None:
    """Rounds all weights, in place, to what half precision can hold: what is measured is then what is stored."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half())


def save(path: Path, network: nn.Module, header: Mapping[str, str]) -> None:
    """Writes the network's weights in half precision, and the header's metadata, as one safetensors file."""
    state = {
        key: (value.half() if value.is_floating_point() else value).contiguous() for key, value in network.state_dict().items()
    }
    write_model_file(path, to_bytes(state, dict(header)))


def write_model_file(path: Path, content: bytes) -> None:
    """Writes a file of a trained model whole.

    Raises:
        WeightsError: it could not be written; models that were finished before are safe.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be written: {error.strerror or error}. Models that were finished before are safe; free some space or "
            "choose another folder, and give the same command again."
        ) from error
