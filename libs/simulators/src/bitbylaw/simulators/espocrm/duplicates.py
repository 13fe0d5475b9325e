"""The duplicate check of a create (reference 3, sample 06)."""

from collections.abc import Mapping
from typing import Any

from bitbylaw.simulators.espocrm.store import Record, Table

MOST_SHOWN = 20


def duplicates_of(table: Table, values: Mapping[str, Any]) -> list[Record]:
    """The living records that share the value of any field the entity type compares; none where it compares none."""
    wanted = {name: value for name in table.entity_type.duplicate_fields if (value := values.get(name))}
    if not wanted:
        return []
    found = (record for record in table.living() if any(record.get(name) == value for name, value in wanted.items()))
    return [record for record, _ in zip(found, range(MOST_SHOWN), strict=False)]
