"""EspoCRM's JSON into the types that callers ask for."""

from functools import cache
from typing import Any, Generic, TypeVar

import msgspec

from bitbylaw.common.errors import Executed, TransientError

_T = TypeVar("_T")

#: A record attribute by attribute: for callers whose attribute names are configuration.
Record = dict[str, object]


class Page(msgspec.Struct, Generic[_T], frozen=True):
    """A page of a list. `total` is None unless it was asked for; `more` says whether records follow."""

    items: list[_T]
    total: int | None
    more: bool


class Listing(msgspec.Struct, Generic[_T], frozen=True):
    """The body of a list: a negative total means not counted, -1 more to come, -2 the end (reference, section 3)."""

    total: int
    list: list[_T]

    def page(self, offset: int) -> Page[_T]:
        """It as a page that began at `offset`."""
        if self.total < 0:
            return Page(self.list, None, self.total == -1)
        return Page(self.list, self.total, offset + len(self.list) < self.total)


def decoded(body: bytes, as_: Any, executed: Executed) -> Any:
    """The JSON of `body` as `as_`; attributes that a Struct does not know are ignored.

    Raises:
        TransientError: it is none, or does not fit: a page of a proxy, or a CRM just being rebuilt.
    """
    try:
        return _decoder(as_).decode(body)
    except msgspec.ValidationError as error:
        raise TransientError(f"EspoCRM's answer does not fit {as_}: {error}", executed=executed) from None
    except msgspec.DecodeError:
        raise TransientError("EspoCRM's answer is no JSON", executed=executed) from None


@cache
def _decoder(as_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(as_)
