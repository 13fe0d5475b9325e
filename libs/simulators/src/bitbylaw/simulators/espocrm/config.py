"""Everything about a simulated EspoCRM that a test or a person may want to decide."""

import time
from pathlib import Path

import msgspec

from bitbylaw.simulators.espocrm.catalogue import law_firm_schema
from bitbylaw.simulators.espocrm.clock import Clock, MakeId, MakeSecret, random_ids, random_secret
from bitbylaw.simulators.espocrm.schema import Schema
from bitbylaw.simulators.espocrm.users import EspoUser, usual_users

_MIB = 1024 * 1024


class WebhookSettings(msgspec.Struct, frozen=True):
    """EspoCRM's webhook settings under its own defaults (reference 1); times in seconds.

    `interval` runs the job by itself; None leaves it to `EspoSimulator.run_webhook_job`. `allowed_addresses` are the
    internal `host:port` that may receive webhooks, `allow_loopback` lets every port of this machine.
    """

    interval: float | None = None
    event_portion: int = 20
    queue_portion: int = 20
    batch_size: int = 50
    max_attempts: int = 4
    retry_after: float = 600.0
    connect_timeout: float = 5.0
    timeout: float = 10.0
    max_count_per_user: int = 50
    allowed_addresses: frozenset[str] = frozenset()
    allow_loopback: bool = False


PROMPT_WEBHOOKS = WebhookSettings(interval=0.5, event_portion=200, allow_loopback=True)
"""For a demonstration: webhooks within half a second, to any port of this machine."""


class EspoConfig(msgspec.Struct, frozen=True):
    """The configuration of one simulated installation.

    `state_dir` keeps the firm across restarts; without it large files lie in a temporary directory. Files of up to
    `memory_limit` bytes stay in memory. `link_hook` emulates the custom PHP hook of sample 14. Times in seconds.
    """

    schema: Schema = msgspec.field(default_factory=law_firm_schema)
    users: tuple[EspoUser, ...] = msgspec.field(default_factory=usual_users)
    webhooks: WebhookSettings = WebhookSettings()
    link_hook: bool = False
    clock: Clock = time.time
    make_id: MakeId = msgspec.field(default_factory=random_ids)
    make_secret: MakeSecret = random_secret
    app_timestamp: int = 1795476417
    state_dir: Path | None = None
    snapshot_interval: float = 0.5
    memory_limit: int = _MIB
    list_limit: int = 200
    text_limit_in_list: int = 10_000
    max_failed_logins: int = 10
    failed_logins_period: float = 60.0
    max_body_size: int = 256 * _MIB
