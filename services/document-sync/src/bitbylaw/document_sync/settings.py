"""document-sync's settings."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.settings import (
    Env,
    EspoSettings,
    LeaseSettings,
    NatsSettings,
    count,
    load,
    load_policies,
    positive,
    url,
)
from bitbylaw.document_sync.policies import DocumentPolicies


class XaiSettings(msgspec.Struct, frozen=True):
    """How to reach xAI: files with one key, collections with another, on two hosts."""

    api_key: Annotated[str, Env("XAI_API_KEY", None, "Key for files", secret=True)]
    management_key: Annotated[str, Env("XAI_MANAGEMENT_KEY", None, "Key for collections", secret=True)]
    base_url: Annotated[str, Env("XAI_API_BASE_URL", "https://api.x.ai/v1", "Files host", url("http", "https"))]
    management_url: Annotated[
        str,
        Env("XAI_MANAGEMENT_API_BASE_URL", "https://management-api.x.ai/v1", "Collections host", url("http", "https")),
    ]
    max_file_size_mb: Annotated[int, Env("XAI_MAX_FILE_SIZE_MB", "48", "Largest file sent, in MiB", count)]
    timeout: Annotated[float, Env("XAI_API_TIMEOUT_SECONDS", "60", "Longest wait for an answer", positive)]


class Environment(msgspec.Struct, frozen=True):
    """What the environment holds."""

    nats: NatsSettings
    lease: LeaseSettings
    espo: EspoSettings
    xai: XaiSettings
    concurrency: Annotated[int, Env("DOCUMENT_SYNC_CONCURRENCY", "16", "Documents at work at once", count)]
    spool: Annotated[
        Path,
        Env("DOCUMENT_SYNC_SPOOL", str(Path(tempfile.gettempdir()) / "bitbylaw-spool"), "Folder for downloads", Path),
    ]


class Settings(msgspec.Struct, frozen=True):
    """Environment and policies."""

    environment: Environment
    policies: DocumentPolicies


def read(environ: Mapping[str, str]) -> Settings:
    """The settings that `environ` and the TOML file it names hold.

    Raises:
        ConfigurationError: with every fault of both.
    """
    faults: list[str] = []
    environment, policies = None, None
    try:
        environment = load(Environment, environ)
    except ConfigurationError as error:
        faults += error.faults
    try:
        policies = load_policies(environ, "documents", DocumentPolicies)
    except ConfigurationError as error:
        faults += error.faults
    if environment is None or policies is None:
        raise ConfigurationError(faults)
    return Settings(environment, policies)
