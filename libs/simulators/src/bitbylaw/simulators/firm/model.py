"""The firm as plain data. Keys tie it together before EspoCRM has given ids."""

import hashlib
from datetime import date
from pathlib import Path

import msgspec

from bitbylaw.simulators.firm.rendering import rendered
from bitbylaw.simulators.firm.writing import FileFormat, Writing


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A client: a landlord (EspoCRM `Account`)."""

    key: str
    name: str
    email: str
    phone: str
    street: str
    postal_code: str
    city: str


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A party to a suit: a tenant (EspoCRM `CBeteiligte`)."""

    key: str
    first_name: str
    last_name: str
    born_on: date
    email: str
    phone: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class Klage(msgspec.Struct, frozen=True, kw_only=True):
    """An eviction suit (EspoCRM `Raeumungsklage`); `account` sues `persons`."""

    key: str
    name: str
    aktenzeichen: str
    status: str
    account: str
    persons: tuple[str, ...]


class FirmDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document with its file (EspoCRM `CDokumente`), and the keys of the records it is linked to."""

    key: str
    name: str
    filename: str
    format: FileFormat
    writing: Writing
    keyword: str
    account: str | None = None
    klagen: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()

    @property
    def mime(self) -> str:
        """The file's MIME type."""
        return self.format.mime

    @property
    def content(self) -> bytes:
        """The file's bytes; rendered on the first use."""
        return rendered(self.writing, self.format)

    @property
    def sha256(self) -> str:
        """The content's SHA-256 in hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def owners(self) -> tuple[str, ...]:
        """The keys of everything it is linked to."""
        return (*((self.account,) if self.account else ()), *self.klagen, *self.persons)


class Firm(msgspec.Struct, frozen=True, kw_only=True):
    """The whole firm. Names are unique within each kind."""

    accounts: tuple[Account, ...]
    klagen: tuple[Klage, ...]
    persons: tuple[Person, ...]
    documents: tuple[FirmDocument, ...]

    def write_to(self, directory: Path) -> list[Path]:
        """Write every document's file into this directory and return their paths; `/` in a name becomes `_`."""
        directory.mkdir(parents=True, exist_ok=True)
        paths = [directory / f"{document.key} {document.filename.replace('/', '_')}" for document in self.documents]
        for path, document in zip(paths, self.documents, strict=True):
            path.write_bytes(document.content)
        return paths
