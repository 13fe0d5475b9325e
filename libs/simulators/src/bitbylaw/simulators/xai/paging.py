"""Sorting and paging of every list: the token names the last item of the page it came with.

So pages do not shift when items are added or deleted meanwhile.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from bitbylaw.simulators.xai.errors import bad_request

MAX_LIMIT = 100
Position = tuple[str | float, str]
"""Where an item stands in an order: its sort value and its id."""
Item = TypeVar("Item")
SortKey = Callable[[Item], str | float]


class ListOrder(msgspec.Struct, Generic[Item], frozen=True, kw_only=True):
    """How a list may be sorted: values of `sort_by`, values of `order` (True: falling), and what holds without them.

    `default_sort` None is no order at all: one that looks like chance, but is the same for every page.
    """

    identify: Callable[[Item], str]
    sort_keys: Mapping[str, SortKey[Item]]
    orders: Mapping[str, bool]
    default_sort: str | None
    default_descending: bool

    def position(self, item: Item, sort_by: str | None) -> Position:
        """Where this item stands."""
        item_id = self.identify(item)
        if sort_by is None:
            return hashlib.sha256(item_id.encode()).hexdigest(), item_id
        return self.sort_keys[sort_by](item), item_id


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The paging parameters of a list request, checked."""

    limit: int
    sort_by: str | None
    descending: bool
    token: str | None
    after: str | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A page and the token for what follows; `is_last` when it is not full."""

    items: list[Item]
    token: str
    is_last: bool


def page_request(query: Mapping[str, str], order: ListOrder[Item]) -> PageRequest:
    """Read limit, sort_by, order, pagination_token and after. Raises `XaiError` (400) for values xAI does not know."""
    sort_by = query.get("sort_by") or order.default_sort
    if sort_by is not None and sort_by not in order.sort_keys:
        raise bad_request(f"Invalid sort_by: {sort_by}")
    direction = query.get("order")
    if direction and direction not in order.orders:
        raise bad_request(f"Invalid order: {direction}")
    return PageRequest(
        limit=_limit(query.get("limit", str(MAX_LIMIT))),
        sort_by=sort_by,
        descending=order.orders[direction] if direction else order.default_descending,
        token=query.get("pagination_token") or None,
        after=query.get("after") or None,
    )


def page_of(items: Iterable[Item], order: ListOrder[Item], request: PageRequest) -> Page[Item]:
    """Cut the requested page out of the items. Raises `XaiError` (400) for a token that is none."""
    placed = sorted(
        ((order.position(item, request.sort_by), item) for item in items),
        key=lambda pair: pair[0],
        reverse=request.descending,
    )
    start = _start([position for position, _item in placed], request)
    taken = placed[start : start + request.limit]
    token = _token(taken[-1][0]) if taken else request.token or ""
    return Page([item for _position, item in taken], token, is_last=len(taken) < request.limit)


def _start(positions: list[Position], request: PageRequest) -> int:
    if request.token is None:
        ids = [item_id for _value, item_id in positions]
        return ids.index(request.after) + 1 if request.after in ids else 0
    last = _read_token(request.token)
    try:
        behind = (n for n, place in enumerate(positions) if (place < last if request.descending else place > last))
        return next(behind, len(positions))
    except TypeError as error:
        raise bad_request("pagination_token belongs to another sort order.") from error


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise bad_request(f"limit must be between 1 and {MAX_LIMIT}.")
    return int(text)


def _token(position: Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _read_token(token: str) -> Position:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        position: Position = msgspec.json.decode(raw, type=Position)
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise bad_request("Invalid pagination_token.") from error
    return position
