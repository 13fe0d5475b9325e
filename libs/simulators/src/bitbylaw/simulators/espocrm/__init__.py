"""A stateful EspoCRM 9.3.10: records, links, files, webhooks, held against captured exchanges by the contract tests.

Start it in a test with `EspoSimulator.running()`, as a process with `python -m bitbylaw.simulators.espocrm`.
"""

from bitbylaw.simulators.espocrm.catalogue import captured_schema, extended, law_firm_schema
from bitbylaw.simulators.espocrm.config import PROMPT_WEBHOOKS, EspoConfig, WebhookSettings
from bitbylaw.simulators.espocrm.errors import EspoError
from bitbylaw.simulators.espocrm.schema import Field, FieldType, Schema
from bitbylaw.simulators.espocrm.simulator import EspoSimulator
from bitbylaw.simulators.espocrm.users import ADMIN, FULL_ACCESS, NO_WEBHOOKS, READ_FEW, AccessRole, EspoUser

__all__ = [
    "ADMIN",
    "FULL_ACCESS",
    "NO_WEBHOOKS",
    "PROMPT_WEBHOOKS",
    "READ_FEW",
    "AccessRole",
    "EspoConfig",
    "EspoError",
    "EspoSimulator",
    "EspoUser",
    "Field",
    "FieldType",
    "Schema",
    "WebhookSettings",
    "captured_schema",
    "extended",
    "law_firm_schema",
]
