"""The gateway's settings."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.settings import Env, NatsSettings, count, load, pairs, port

MEBIBYTE = 1024 * 1024


class WebhookAuth(StrEnum):
    """How a webhook proves where it comes from."""

    SIGNATURE = "signature"
    API_KEY = "api-key"
    NONE = "none"


class Settings(msgspec.Struct, frozen=True):
    """Where the gateway listens, whom it believes, how much it takes."""

    nats: NatsSettings
    host: Annotated[str, Env("GATEWAY_HOST", "0.0.0.0", "Address to listen on")]  # noqa: S104  (a door is open)
    port: Annotated[int, Env("GATEWAY_PORT", "3111", "Port to listen on", port)]
    api_keys: Annotated[tuple[tuple[str, str], ...], Env("GATEWAY_API_KEYS", "", "name:key,…", pairs, secret=True)]
    webhook_auth: Annotated[WebhookAuth, Env("WEBHOOK_AUTH", "signature", "signature, api-key or none", WebhookAuth)]
    webhook_secrets: Annotated[
        tuple[tuple[str, str], ...],
        Env(
            "ESPOCRM_WEBHOOK_SECRETS",
            "",
            "webhookId:secret,… (an id may stand twice, for rotation)",
            pairs,
            secret=True,
        ),
    ]
    max_body_bytes: Annotated[int, Env("GATEWAY_MAX_BODY_BYTES", str(8 * MEBIBYTE), "Largest webhook body", count)]


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` holds.

    Raises:
        ConfigurationError: something is missing or wrong, or nothing could ever authenticate.
    """
    settings = load(Settings, environ)
    if settings.webhook_auth is WebhookAuth.SIGNATURE and not settings.webhook_secrets:
        raise ConfigurationError(
            ["ESPOCRM_WEBHOOK_SECRETS: missing (webhookId:secret,…); without it no webhook is accepted"]
        )
    if settings.webhook_auth is WebhookAuth.API_KEY and not settings.api_keys:
        raise ConfigurationError(["GATEWAY_API_KEYS: missing (name:key,…) while WEBHOOK_AUTH is api-key"])
    return settings
