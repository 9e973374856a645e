"""The weights of a network in what training programs write: nested, prefixed, and beside averages, optimisers and losses."""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gevaldi.errors import WeightsError
from gevaldi.names import plain
from gevaldi.weights import read_content

WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")  # that torch puts around a module
AVERAGED = re.compile(
    r"(?:^|[._-])ema(?:$|[._-])", re.IGNORECASE
)  # an exponential moving average, as timm's and torchvision's training write
AUXILIARY = re.compile(r"aux", re.IGNORECASE)  # heads of Inception and GoogLeNet, which are used in training only
COUNTERS = re.compile(r"(?:^|\.)(?:num_batches_tracked|total_ops|total_params)$")  # which decide nothing in evaluation
DEEPEST, MOST_LISTED, SHOWN = 6, 16, 5
SHORT = 8  # tensors of a head at most


@dataclass(frozen=True)
class Fit:
    """Tensors of a file beside a network: where they are, and what of them fits.

    Attributes:
        place: names under which they are in the file, and their prefix.
        tensors: those that fit, by the network's names.
        problems: what is missing, of another shape, or too many, in sentences.
        heads: the number of classes of the file, if nothing but this is another.
        own_head: whether only the parts under one name are others, and there are more of them.
        outside: names of tensors beside them that have not their prefix.
    """

    place: str
    tensors: dict[str, Tensor]
    problems: tuple[str, ...]
    heads: int | None = None
    own_head: bool = False
    outside: tuple[str, ...] = ()


def fill(network: nn.Module, path: Path, *, allow_pickle: bool = False, key: str | None = None, remedy: str = "") -> str | None:
    """Put the weights of a file into a network, widened from half precision where they are stored so.

    They may be nested, prefixed and wrapped as training programs leave them. Of weights and their exponential moving average the
    average is taken, as timm does, and the note says so.

    Args:
        network: of the architecture of the file; heads that are used in training only may be missing on either side.
        path: as `read_content` takes it.
        allow_pickle: see there.
        key: the name or prefix in the file under which the weights are, where there are several.
        remedy: what the user can do where they are of another architecture.

    Returns:
        What a reader has to know of the choice, if there was one.

    Raises:
        WeightsError: the file cannot be read, is of another architecture, or holds several sets of weights.
    """
    content = read_content(path, allow_pickle=allow_pickle, remedy=remedy)
    states = dict(_states(content))
    if not states:
        raise WeightsError(
            f"{path} holds {type(content).__name__}, where a state dict, names to tensors, was expected: {_outline(content)}."
        )
    expected = network.state_dict()
    fits = [fit for place, state in states.items() for fit in _fits(place, state, expected) if _is_at(fit.place, key)]
    if not fits:
        raise WeightsError(f"{path} has no weights under key={plain(key)}. It holds {_outline(content)}.")
    complete = _different([fit for fit in fits if not fit.problems])
    if not complete:
        raise _another(path, network, min(fits, key=lambda fit: len(fit.problems)), _outline(content), remedy)
    chosen = _chosen(path, complete)
    network.load_state_dict(chosen.tensors, strict=False)
    return _note(path, chosen, complete, content, key)


def _states(content: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Every mapping of names to tensors in what a file holds, with the names that lead to it."""
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if isinstance(content, list | tuple) and len(content) <= MOST_LISTED:
        content = {str(i): value for i, value in enumerate(content) if not isinstance(value, Tensor)}
    if not isinstance(content, Mapping) or depth > DEEPEST:
        return
    tensors = {key: _tensor(value) for key, value in content.items() if isinstance(key, str) and _tensor(value) is not None}
    if tensors:
        yield place, {key: value for key, value in tensors.items() if value is not None}
    for key, value in content.items():
        if isinstance(key, str) and _tensor(value) is None:
            yield from _states(value, f"{place}.{key}" if place else key, depth + 1)


def _tensor(value: Any) -> Tensor | None:
    """A tensor or an array of NumPy as a tensor."""
    if isinstance(value, Tensor):
        return value
    is_array = type(value).__module__ == "numpy" and hasattr(value, "dtype") and value.dtype.kind in "fiub"
    return torch.as_tensor(value) if is_array else None


def _fits(place: str, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[Fit]:
    """The tensors of one mapping under every prefix under which there are some of the network."""
    plain = _without(state, WRAPPERS)
    for renamed in (plain, _without(plain, (*WRAPPERS, "module"))) if any("module." in key for key in plain) else (plain,):
        for prefix in _prefixes(renamed, expected):
            own = {key.removeprefix(prefix): value for key, value in renamed.items() if key.startswith(prefix)}
            parts = [part for part in (*place.split("."), *prefix.split(".")) if part not in ("", "module")]
            outside = [key for key in renamed if not key.startswith(prefix) and "." in key and not COUNTERS.search(key)]
            yield replace(_fit(".".join(parts), own, expected), outside=tuple(outside))


def _without(state: Mapping[str, Tensor], wrappers: tuple[str, ...]) -> dict[str, Tensor]:
    """The same tensors without the names of wrappers around a module or its parts; unchanged where two would have one name."""
    renamed = {".".join(part for part in key.split(".") if part not in wrappers): value for key, value in state.items()}
    return renamed if len(renamed) == len(state) else dict(state)


def _prefixes(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Prefixes of names that end as those of the network, the empty one first."""
    wanted = [key for key in expected if not _is_optional(key)]
    ends = {wanted[0], wanted[len(wanted) // 2], wanted[-1]} if wanted else set()
    found = {key.removesuffix(end) for end in ends for key in state if key.endswith(f".{end}")}
    return ["", *sorted(found)]


def _is_optional(key: str) -> bool:
    return bool(AUXILIARY.match(key) or COUNTERS.search(key))


def _fit(place: str, own: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Fit:
    """What of some tensors fits a network, and what does not."""
    came, wanted = ({key: tuple(value.shape) for key, value in side.items()} for side in (own, expected))
    tensors = {key: value for key, value in own.items() if came[key] == wanted.get(key)}
    wrong = [key for key in sorted(came.keys() | wanted.keys()) if came.get(key) != wanted.get(key) and not _is_optional(key)]
    problems = [f"{plain(key)} came as {came.get(key, 'nothing')}, expected was {wanted.get(key, 'nothing')}" for key in wrong]
    sizes = {came[key][:1] if came[key][1:] == wanted[key][1:] else None for key in wrong if key in came and key in wanted}
    heads = next(iter(sizes)) if len(sizes) == 1 and all(key in came and key in wanted for key in wrong) else None
    head = list(wanted)[-1].partition(".")[0]
    short = sum(key.startswith(f"{head}.") for key in wanted) <= SHORT
    own_head = short and {key.partition(".")[0] for key in wrong} == {head} and any(key not in wanted for key in wrong)
    return Fit(place, tensors, tuple(problems), heads[0] if heads else None, own_head)


def _is_at(place: str, key: str | None) -> bool:
    wanted = ".".join(part for part in (key or "").split(".") if part not in ("", "module"))
    return key is None or f".{wanted}." in f".{place}."


def _different(fits: list[Fit]) -> list[Fit]:
    """Those whose tensors are not the same as of one before."""
    found: list[Fit] = []
    for fit in fits:
        if not any(all(torch.equal(fit.tensors[key], value) for key, value in other.tensors.items()) for other in found):
            found.append(fit)
    return found


def _chosen(path: Path, complete: list[Fit]) -> Fit:
    """The only weights of a file, or of two the average.

    Raises:
        WeightsError: there are several, and nothing says which are meant.
    """
    averaged = [fit for fit in complete if AVERAGED.search(fit.place)]
    if len(complete) == 1:
        return complete[0]
    if len(complete) == 2 and len(averaged) == 1:
        return averaged[0]
    places = [plain(fit.place) or "its top level" for fit in complete]
    raise WeightsError(
        f"{path} holds {len(complete)} sets of weights that fit, under {', '.join(places)}. Say which are meant: key={places[-1]}."
    )


def _note(path: Path, chosen: Fit, complete: list[Fit], content: Any, key: str | None) -> str | None:
    """What is to be said of weights beside an average, and of tensors left out, also to whoever watches."""
    others = [fit.place for fit in complete if fit is not chosen]
    averages = [place for place in _places(content) if AVERAGED.search(place)]
    said = []
    if others:
        said = [f"weights are the moving average under {chosen.place}; those under {others[0]} are taken by key={others[0]}"]
    elif averages and not AVERAGED.search(chosen.place) and key is None:
        said = [f"weights are those under {chosen.place or 'its top level'}; the moving average under {averages[0]} does not fit"]
    elif chosen.outside and key is None:
        more = f" and {len(chosen.outside) - 3} more" if len(chosen.outside) > 3 else ""
        said = [f"weights are those under {chosen.place}; left out are {', '.join(chosen.outside[:3])}{more}"]
    for note in said:
        sys.stderr.write(f"gevaldi: {path}: {note}\n")
    return said[0] if said else None


def _places(content: Any, place: str = "", depth: int = 0) -> Iterator[str]:
    """The names under which a file holds other mappings and lists."""
    if isinstance(content, Mapping) and depth < DEEPEST:
        for key, value in content.items():
            if isinstance(key, str) and isinstance(value, Mapping | list | tuple | nn.Module):
                yield (own := f"{place}.{key}" if place else key)
                yield from _places(value, own, depth + 1)


def _another(path: Path, network: nn.Module, fit: Fit, held: str, remedy: str) -> WeightsError:
    """What to raise where no weights of a file fit."""
    if fit.heads:
        return WeightsError(
            f"{path} holds a {type(network).__name__} of {fit.heads} classes: {fit.problems[0]}. Say so: classes={fit.heads}, and "
            "labels=FILE with their names."
        )
    if fit.own_head:
        return WeightsError(
            f"{path} holds a {type(network).__name__} with another head: {'; '.join(fit.problems[:4])}. What stands between "
            "its layers is not in the file. Build the network as in training, in a function that loads it: python:FILE.py:NAME."
        )
    more = f"; and {len(fit.problems) - 3} more" if len(fit.problems) > 3 else ""
    place = f" under {plain(fit.place)}" if fit.place else ""
    return WeightsError(
        f"{path} holds another architecture than {type(network).__name__}{place}: {'; '.join(fit.problems[:3])}{more}. "
        f"{remedy} It holds {held}.".replace("  ", " ")
    )


def _outline(content: Any, depth: int = 0) -> str:
    """What a file holds, in a few words."""
    if isinstance(content, nn.Module):
        return f"a whole network of the class {type(content).__name__}: {_outline(content.state_dict(), depth)}"
    if not isinstance(content, Mapping) or not content or depth == DEEPEST:
        return type(content).__name__
    tensors = [plain(key) for key, value in content.items() if _tensor(value) is not None]
    lines = [f"{len(tensors)} tensors such as {', '.join(dict.fromkeys((tensors[0], tensors[-1])))}"] if tensors else []
    others = [(key, value) for key, value in content.items() if _tensor(value) is None]
    for key, value in others[:SHOWN]:
        lines.append(f"{plain(key)} ({_outline(value, depth + 1)})" if isinstance(value, Mapping | nn.Module) else plain(key))
    return ", ".join(lines) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
