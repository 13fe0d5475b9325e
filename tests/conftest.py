"""What holds for every test: it says what it expects, and finds its support."""

import inspect

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

pytest_plugins = ["tests.support.nats"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that do not say what they expect."""
    silent = sorted({item.nodeid for item in items if isinstance(item, pytest.Function) and not _says(item)})
    if silent:
        raise pytest.UsageError("a test says in its docstring what it expects; these do not: " + ", ".join(silent))


def _says(item: pytest.Function) -> bool:
    return bool((inspect.unwrap(item.function).__doc__ or "").strip())
