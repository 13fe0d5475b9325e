"""An upstream's own words in our messages: short, on one line, without anything that looks like a key."""

import re

_LONGEST = 200
_HIDDEN = "[masked]"
_KEY_LIKE = re.compile(
    r"\b(?:xai|sk|pk|api|key|token|secret)-(?=\S*[\d*])[\w*.-]{6,}"  # keys with a vendor's prefix
    r"|\b(?:bearer|basic|apikey)\s+\S+"
    r"|\S*\*{3}\S*"  # keys that the vendor masked in part
    r"|[A-Za-z0-9+/=]{28,}"  # hex digests, base64
    r"|\beyJ[\w.-]{10,}",  # JSON web tokens
    re.IGNORECASE,
)


def presentable(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """`text` fit for a message: printable, masked (`secrets` always), at most 200 characters."""
    # Headers that are no UTF-8 arrive as surrogates, which neither a log nor the bus could encode.
    clean = " ".join(text.encode("utf-8", "replace").decode().split())
    for secret in secrets:
        clean = clean.replace(secret, _HIDDEN)
    clean = "".join(character for character in _KEY_LIKE.sub(_HIDDEN, clean) if character.isprintable())
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"
