"""The stage of the contract tests: the captured users, a clock and ids in the test's hand, a listener."""

from collections import defaultdict, deque
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from bitbylaw.simulators.espocrm import (
    ADMIN,
    FULL_ACCESS,
    READ_FEW,
    EspoConfig,
    EspoUser,
    WebhookSettings,
    captured_schema,
)
from bitbylaw.simulators.espocrm.clock import counted_ids

SYNC, OTHER, READER, SIGNER = "svc-sync", "svc-other", "svc-ro", "svc-hmac"
SIGNING_SECRET = "the capture keeps its own to itself"
LISTENER = "127.0.0.1:9911"
"""Where the capture's webhooks went."""

CAPTURED_USERS = (
    EspoUser(id="6b04cced34fb6277c", user_name=SYNC, role=FULL_ACCESS, api_key="d11fc83799501fe85b0da7af2102b330"),
    EspoUser(id="6b04ccef12d2a8688", user_name=OTHER, role=FULL_ACCESS, api_key="f3cac0d5151772e135a28f020235a570"),
    EspoUser(id="6b04ccee00000ro00", user_name=READER, role=READ_FEW, api_key="41e900b6a765ddcbeaf27886430e5572"),
    EspoUser(
        id="6b04ccf000000sig0",
        user_name=SIGNER,
        role=FULL_ACCESS,
        api_key="0678ad59d6c2465bb9374290d14ffd20",
        hmac_secret=SIGNING_SECRET,
    ),
    ADMIN,
)


class Stage:
    """Time, ids and secrets in the test's hand."""

    def __init__(self, now: float = 1795476734.0) -> None:
        self.now = now
        self.ids: deque[str] = deque()
        self.secrets: deque[str] = deque()
        self._otherwise = counted_ids("ffff")

    def make_id(self) -> str:
        """The next id the test wants, or any."""
        return self.ids.popleft() if self.ids else self._otherwise()

    def make_secret(self) -> str:
        """The next secret the test wants, or any."""
        return self.secrets.popleft() if self.secrets else "0" * 32

    def config(self, **webhooks: object) -> EspoConfig:
        """A configuration of the captured installation on this stage."""
        settings = msgspec.structs.replace(WebhookSettings(allowed_addresses=frozenset({LISTENER})), **webhooks)
        return EspoConfig(
            schema=captured_schema(),
            users=CAPTURED_USERS,
            webhooks=settings,
            clock=lambda: self.now,
            make_id=self.make_id,
            make_secret=self.make_secret,
        )


class Post(msgspec.Struct, frozen=True):
    """A webhook that arrived."""

    path: str
    body: bytes
    signatures: dict[str, str]


class Listener:
    """Takes webhooks in the simulator's stead of a network; `answers` decides the status by URL."""

    def __init__(self, answer: Callable[[str], int] = lambda _url: 200) -> None:
        self.answer = answer
        self.posts: list[Post] = []

    async def __call__(self, url: str, body: bytes, signatures: dict[str, str]) -> int:
        """Remember a POST and answer it."""
        self.posts.append(Post(path=urlsplit(url).path, body=body, signatures=signatures))
        return self.answer(url)

    def take(self) -> list[Post]:
        """The posts since the last time."""
        taken, self.posts = self.posts, []
        return taken


def bodies_by_path(posts: list[Post]) -> dict[str, list[bytes]]:
    """All bodies, by where they were posted."""
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for post in posts:
        found[post.path].append(post.body)
    return found
