"""Who may call the simulated EspoCRM, and what they may do."""

import enum

import msgspec


class Action(enum.StrEnum):
    """What a role grants per entity type."""

    CREATE = "create"
    READ = "read"
    EDIT = "edit"
    DELETE = "delete"


ALL_ACTIONS = frozenset(Action)
READ_ONLY = frozenset({Action.READ})
ADMIN_ID = "6b04cbc24cafd4e9b"


class AccessRole(msgspec.Struct, frozen=True):
    """Grants per entity type; `otherwise` holds for the types that `scopes` does not name."""

    name: str
    scopes: dict[str, frozenset[Action]] = {}
    otherwise: frozenset[Action] = frozenset()

    def allows(self, entity_type: str, action: Action) -> bool:
        """Say whether the role grants this."""
        return action in self.scopes.get(entity_type, self.otherwise)


FULL_ACCESS = AccessRole(name="full", otherwise=ALL_ACTIONS)
"""Everything, webhooks included."""
NO_WEBHOOKS = AccessRole(name="no webhooks", scopes={"Webhook": frozenset()}, otherwise=ALL_ACTIONS)
"""Everything except the `Webhook` scope."""
READ_FEW = AccessRole(
    name="read-only",
    scopes=dict.fromkeys(("CDokumente", "Raeumungsklage", "CBeteiligte", "Bankverbindungen", "Account"), READ_ONLY),
)
"""Reading a law firm's records; no Contact, no Webhook (sample 06)."""


class EspoUser(msgspec.Struct, frozen=True):
    """A user. API users have an `api_key` (and `hmac_secret` if they sign), people a `password`."""

    id: str
    user_name: str
    role: AccessRole
    name: str = ""
    api_key: str | None = None
    hmac_secret: str | None = None
    password: str | None = None
    is_admin: bool = False
    created_at: str = "2026-11-23 23:31:57"

    @property
    def shown_name(self) -> str:
        """The name others see."""
        return self.name or self.user_name

    def may(self, entity_type: str, action: Action) -> bool:
        """Say whether this user may do this; an admin may do everything."""
        return self.is_admin or self.role.allows(entity_type, action)


ADMIN = EspoUser(
    id=ADMIN_ID,
    user_name="admin",
    name="Admin",
    role=FULL_ACCESS,
    password="admin-pass-1",  # noqa: S106 - a simulator's throw-away password
    is_admin=True,
)
"""The administrator everyone gets; the password is a throw-away one."""


def usual_users() -> tuple[EspoUser, ...]:
    """The product's API user, a second one (a colleague's service), a read-only one, one without webhooks, an admin."""
    return (
        EspoUser(id="6b04cced34fb6277c", user_name="svc-sync", role=FULL_ACCESS, api_key="sync-key"),
        EspoUser(id="6b04ccef12d2a8688", user_name="svc-other", role=FULL_ACCESS, api_key="other-key"),
        EspoUser(id="6b04ccee5a0b1c2d3", user_name="svc-ro", role=READ_FEW, api_key="ro-key"),
        EspoUser(id="6b04ccf0aa0b1c2d3", user_name="svc-plain", role=NO_WEBHOOKS, api_key="plain-key"),
        EspoUser(
            id="6b04ccf1bb0b1c2d3",
            user_name="svc-hmac",
            role=FULL_ACCESS,
            api_key="hmac-key",
            hmac_secret="hmac-secret",  # noqa: S106 - a simulator's throw-away secret
        ),
        ADMIN,
    )
