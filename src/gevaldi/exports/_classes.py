"""The classes of a run, each with a name that no other has."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from gevaldi.folders import visible


class Classes:
    """Names of classes, in the order of the first classifier's labels; those that only others know follow.

    A class is known by its taxonomy id, where it has one, and otherwise by its name. Where several bear one name, as two of
    ImageNet's are called crane, their ids stand behind it.
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
        """The unique name of a class; one that is not known keeps its own."""
        return self._by_key.get(id_ or name) or self._by_name.get(name) or name

    def together_with(self, used: set[str]) -> tuple[str, ...]:
        """All known, and after them the names in use that nobody knew before."""
        known = tuple(dict.fromkeys(self._by_key.values()))
        return known + tuple(sorted(used - set(known)))
