"""A small law firm that does not exist: its clients, suits, parties and files, and a way to load it into EspoCRM.

`law_firm()` makes the same firm for the same seed, byte for byte; `load()` puts it into an EspoCRM as a user would.
"""

from bitbylaw.simulators.firm.founding import law_firm
from bitbylaw.simulators.firm.loader import LoadedFirm, LoadFailed, LoadProgress, load
from bitbylaw.simulators.firm.model import Account, Firm, FirmDocument, Klage, Person
from bitbylaw.simulators.firm.writing import FileFormat, Writing

__all__ = [
    "Account",
    "FileFormat",
    "Firm",
    "FirmDocument",
    "Klage",
    "LoadFailed",
    "LoadProgress",
    "LoadedFirm",
    "Person",
    "Writing",
    "law_firm",
    "load",
]
