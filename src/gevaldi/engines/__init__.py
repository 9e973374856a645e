"""Where the rows of a run are computed: on this machine, or on all machines of a cluster; one engine per file.

An engine has one method, `open`. To add one, add a file with a class of the file's name; files whose names begin with an
underscore are parts of engines.
"""

from typing import TYPE_CHECKING

from gevaldi.calls import Call, construct
from gevaldi.errors import SpecError
from gevaldi.registry import Registry

if TYPE_CHECKING:
    from gevaldi.engines.base import Engine

registry = Registry("engine", "gevaldi.engines")


def engine(text: str | None = None, address: str | None = None) -> "Engine":
    """The engine of this name, `local` or `ray,workers=4`; the address of a cluster alone means `ray`.

    Raises:
        UnknownName, SpecError: the engine or an option is unknown, an option is invalid, or the engine takes no address.
    """
    call = Call.parse(text or ("ray" if address else "local"))
    if address and call.name == "local":
        raise SpecError(
            f"The engine local computes on this machine and takes no address ({address} was given). Leave --address out, or give "
            "--engine ray."
        )
    if address and call.options.get("address", address) != address:
        raise SpecError(
            f"Two addresses were given, {call.options['address']} to the engine and {address} as --address. Leave one of them out."
        )
    call = Call(call.name, call.options | ({"address": address} if address else {}))
    chosen: Engine = construct(registry.get(call.name), call, registry.kind)
    return chosen
