"""Every captured exchange, sent to the simulator over a socket: status, headers and body are those of the real EspoCRM.

Bodies are compared byte for byte, so key order, PHP's escapes and Content-Length are held as well. Ids, the clock and
secrets are injected, so nothing of them needs normalising. Not compared: Date, Connection, Transfer-Encoding. Of bodies
that the capture cut off (08, App/user, OpenApi) the captured beginning is compared.
"""

import pytest

from .capture import EXCHANGES, Exchange, all_files, exchanges_of
from .story import Played, whole_story

_TRANSPORT = frozenset({"Date", "Connection", "Transfer-Encoding"})
_NOT_HTTP = "12_"
_HOOKS = "20_"
ALL = [exchange for file in all_files() if not file.startswith((_NOT_HTTP, _HOOKS)) for exchange in exchanges_of(file)]
FIRING = [exchange for exchange in ALL if exchange.fired is not None]


@pytest.fixture(scope="module")
def story() -> dict[tuple[str, int], Played]:
    """The played exchanges by file and number."""
    return {(one.exchange.file, one.exchange.number): one for one in whole_story()[0]}


def _names(exchange: Exchange) -> str:
    return exchange.name


def _expected_headers(exchange: Exchange) -> dict[str, str]:
    headers = {name: value for name, value in exchange.response.headers.items() if name not in _TRANSPORT}
    if exchange.response.clipped is not None:
        headers.pop("Content-Length", None)
    return headers


@pytest.mark.parametrize("exchange", ALL, ids=_names)
def test_the_simulator_answers_like_the_real_one(story: dict[tuple[str, int], Played], exchange: Exchange) -> None:
    """Status, every header but the transport's own, and the body are the captured ones."""
    answer = story[exchange.file, exchange.number].answer
    expected = _expected_headers(exchange)
    shown = {name: answer.headers.get(name) for name in expected}
    unexpected = answer.headers.keys() - exchange.response.headers.keys() - _TRANSPORT - {"Content-Length"}
    body = answer.body if exchange.response.clipped is None else answer.body[: len(exchange.response.body)]
    assert (answer.status, shown, unexpected) == (exchange.response.status, expected, set())
    assert body.decode() == exchange.response.body.decode()


@pytest.mark.parametrize("exchange", FIRING, ids=_names)
def test_the_simulator_fires_the_captured_webhooks(story: dict[tuple[str, int], Played], exchange: Exchange) -> None:
    """The webhooks a request fires are the captured ones: which, in which order, with which bodies, or none."""
    posts = story[exchange.file, exchange.number].posts
    expected = [(fired.path, fired.body) for fired in exchange.fired or ()]
    assert [(post.path, post.body.decode()) for post in posts] == expected


def test_every_exchange_of_every_file_is_played(story: dict[tuple[str, int], Played]) -> None:
    """No captured exchange is left out, and none is played twice."""
    requests = sum(
        (EXCHANGES / file).read_text().count(">>> REQUEST\n")
        for file in all_files()
        if not file.startswith((_NOT_HTTP, _HOOKS))
    )
    assert len(ALL) == requests == 136
    assert sorted(story) == sorted((exchange.file, exchange.number) for exchange in ALL)
