"""Settings: declared as data, read once at start from the environment, all faults reported together.

A settings class is a frozen Struct whose fields carry an `Env`: the variable, its default and what it is for. Fields
whose type is again a settings class are read recursively. `NAME_FILE` names a file that holds the value of `NAME`.
"""

import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from bitbylaw.common.errors import ConfigurationError
from bitbylaw.common.telemetry.logging import LogFormat, LogLevel

_Settings = TypeVar("_Settings", bound=msgspec.Struct)
_Value = TypeVar("_Value")


class Env(msgspec.Struct, frozen=True):
    """One variable: `default` None makes it required; `parse` turns its text into the value and raises ValueError."""

    name: str
    default: str | None
    doc: str
    parse: Callable[[str], Any] | None = None
    secret: bool = False


# --- parsers ---------------------------------------------------------------------------------------------------------


def positive(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError("must be a number above 0")
    return value


def count(text: str) -> int:
    """A whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("must be a whole number above 0")
    return int(text)


def port(text: str) -> int:
    """A TCP port; 0 lets the system choose one."""
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004  (the largest TCP port)
        raise ValueError("must be a port from 0 to 65535")
    return int(text)


def url(*schemes: str, ends_with: str = "") -> Callable[[str], str]:
    """An address of one of `schemes`, without a trailing slash, ending in `ends_with`."""

    def parse(text: str) -> str:
        value = text.rstrip("/")
        scheme, found, rest = value.partition("://")
        if not found or scheme not in schemes or not rest:
            raise ValueError(f"must be an address starting with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if not value.endswith(ends_with):
            raise ValueError(f"must end in {ends_with}")
        return value

    return parse


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """`name:value,name:value`; a name may stand more than once (rotation). Empty text is no pair."""
    found: list[tuple[str, str]] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, colon, value = item.partition(":")
        if not colon or not name or not value:
            raise ValueError("must be name:value,name:value")
        found.append((name, value))
    return tuple(found)


def optional_path(text: str) -> Path | None:
    """A file that must exist, or nothing."""
    if not text:
        return None
    path = Path(text)
    try:
        found = path.is_file()
    except OSError as error:  # a directory on the way that may not be entered, say
        raise ValueError(f"cannot be looked at ({error.strerror})") from None
    if not found:
        raise ValueError("names no file")
    return path


def servers(text: str) -> str:
    """Addresses of NATS servers, separated by commas, without spaces."""
    found = [part.strip() for part in text.split(",")]
    for address in found:
        try:
            parts = urlsplit(address if "://" in address else f"nats://{address}")
            fits = parts.scheme in {"nats", "tls", "ws", "wss"} and bool(parts.hostname) and parts.port != 0
        except ValueError:  # its own text would quote the address
            fits = False
        if not fits:
            raise ValueError("must be addresses like nats://host:4222, separated by commas")
    return ",".join(found)


# --- settings every service has --------------------------------------------------------------------------------------


class NatsSettings(msgspec.Struct, frozen=True):
    """How to reach the bus and how many copies of a stream it keeps."""

    url: Annotated[
        str,
        Env(
            "NATS_URL",
            "nats://127.0.0.1:4222",
            "Addresses of the NATS servers, separated by commas",
            servers,
            secret=True,  # it may carry a password
        ),
    ]
    creds_file: Annotated[Path | None, Env("NATS_CREDS_FILE", "", "Credentials file", optional_path)]
    replicas: Annotated[int, Env("NATS_REPLICAS", "1", "Copies of each stream and bucket (3 in a cluster)", count)]


class OpsSettings(msgspec.Struct, frozen=True):
    """Health, metrics and logs."""

    port: Annotated[int, Env("OPS_PORT", "9464", "Port of /healthz, /readyz and /metrics", port)]
    log_format: Annotated[LogFormat, Env("LOG_FORMAT", "json", "json or console", LogFormat)]
    log_level: Annotated[LogLevel, Env("LOG_LEVEL", "info", "debug, info, warning or error", LogLevel)]


class LeaseSettings(msgspec.Struct, frozen=True):
    """Timing of the lease that keeps an entity to one worker."""

    seconds: Annotated[float, Env("LEASE_SECONDS", "10", "Life of a lease without renewal (whole seconds)", count)]
    max_run_seconds: Annotated[float, Env("LOCK_TTL_SECONDS", "1800", "Longest time one run may take", positive)]


class EspoSettings(msgspec.Struct, frozen=True):
    """How to reach EspoCRM."""

    base_url: Annotated[
        str,
        Env(
            "ESPOCRM_API_BASE_URL",
            None,
            "EspoCRM's REST API, ending in /api/v1",
            url("http", "https", ends_with="/api/v1"),
        ),
    ]
    api_key: Annotated[str, Env("ESPOCRM_API_KEY", None, "Key of the API user", secret=True)]
    timeout: Annotated[float, Env("ESPOCRM_API_TIMEOUT_SECONDS", "30", "Longest wait for an answer", positive)]
    metadata_ttl: Annotated[
        float, Env("ESPOCRM_METADATA_TTL_SECONDS", "300", "How long EspoCRM's metadata is kept", positive)
    ]


# --- loading ---------------------------------------------------------------------------------------------------------


def load(settings: type[_Settings], environ: Mapping[str, str]) -> _Settings:
    """`settings` filled from `environ`.

    Raises:
        ConfigurationError: with one line for every variable that is missing or wrong.
    """
    faults: list[str] = []
    value = _load(settings, environ, faults)
    if faults:
        raise ConfigurationError(faults)
    return value


def variables(settings: type[msgspec.Struct]) -> list[Env]:
    """Every variable that `settings` reads, in order of declaration."""
    found: list[Env] = []
    for hint in get_type_hints(settings, include_extras=True).values():
        if get_origin(hint) is Annotated:
            found.append(_env(hint))
        else:
            found.extend(variables(hint))
    return found


def _load(settings: type[_Settings], environ: Mapping[str, str], faults: list[str]) -> _Settings:
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(settings, include_extras=True).items():
        if get_origin(hint) is Annotated:
            values[name] = _read(_env(hint), environ, faults)
        else:
            values[name] = _load(hint, environ, faults)
    return settings(**values)


def _env(hint: Any) -> Env:
    env = next(extra for extra in get_args(hint)[1:] if isinstance(extra, Env))
    return msgspec.structs.replace(env, parse=env.parse or str)


def _read(env: Env, environ: Mapping[str, str], faults: list[str]) -> Any:
    try:
        text = _text(env, environ)
    except OSError as error:
        faults.append(f"{env.name}_FILE: cannot be read ({error.strerror})")
        return None
    except ValueError:
        faults.append(f"{env.name}_FILE: is no text in UTF-8, or no path")
        return None
    if text is None:
        faults.append(f"{env.name}: missing ({env.doc})")
        return None
    try:
        return env.parse(text) if env.parse else text
    except ValueError as error:
        shown = "" if env.secret else f" {text!r}"
        faults.append(f"{env.name}:{shown} {_choices(env.parse) or error}")
        return None


def _choices(parse: object) -> str:
    if isinstance(parse, type) and issubclass(parse, StrEnum):
        return f"must be one of {', '.join(parse)}"
    return ""


def _text(env: Env, environ: Mapping[str, str]) -> str | None:
    """The variable's text; an empty one counts as unset, so that a blank line in a `.env` changes nothing."""
    if value := environ.get(env.name):
        return value
    if file := environ.get(f"{env.name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip() or env.default
    return env.default


def load_policies(environ: Mapping[str, str], section: str, policies: type[_Value]) -> _Value:
    """Table `section` of the TOML file that BITBYLAW_CONFIG names, as `policies`; its defaults without a file.

    Raises:
        ConfigurationError: the file is missing, is no TOML, or has a key or value that `policies` does not know.
    """
    path = environ.get("BITBYLAW_CONFIG")
    if not path:
        return policies()
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        return msgspec.convert(tables.get(section, {}), policies)
    except OSError as error:
        raise ConfigurationError([f"BITBYLAW_CONFIG: {path} cannot be read ({error.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"BITBYLAW_CONFIG: {path} is no TOML ({error})"]) from None
    except msgspec.ValidationError as error:
        raise ConfigurationError([f"BITBYLAW_CONFIG: [{section}] {error}"]) from None
