"""The classes of a run, each with a unique name."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gevaldi.folders import visible


class Classes:
    """Names of classes, in the order of the first classifier's labels, followed by classes that only the other models have.

    A class is identified by its taxonomy id, or by its name if it has none. If several share a name, as ImageNet's two cranes do,
    their ids are appended.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        names: dict[str, str] = {}
        for part, key in (("first", "labels"), ("second", "labels"), ("generator", "conditions")):
            for label in record.get("models", {}).get(part, {}).get(key) or ():
                if label["id"] or label["name"] not in names.values():
                    names.setdefault(label["id"] or label["name"], label["name"])
        often = Counter(names.values())
        self._by_key = {key: name if often[name] == 1 else f"{name} ({key})" for key, name in names.items()}
        singles = {name: self._by_key[key] for key, name in names.items() if often[name] == 1}
        self._by_name = {visible(name): unique for name, unique in singles.items()} | singles

    def unique_name(self, name: str, id_: str | None = None) -> str:
        """The unique name of a class; an unknown class keeps its own name."""
        return self._by_key.get(id_ or name) or self._by_name.get(name) or name

    def together_with(self, used: set[str]) -> tuple[str, ...]:
        """All known classes, followed by unknown names in use."""
        known = tuple(dict.fromkeys(self._by_key.values()))
        return known + tuple(sorted(used - set(known)))
