"""What stands in a document, whatever file format it becomes."""

import enum
from datetime import date

import msgspec


class FileFormat(enum.StrEnum):
    """The formats a law firm's files have; the value is the file's suffix."""

    PDF = "pdf"
    DOCX = "docx"
    TXT = "txt"
    MD = "md"
    HTML = "html"
    CSV = "csv"

    @property
    def mime(self) -> str:
        """The MIME type a browser sends for it."""
        return _MIME[self]


_MIME = {
    FileFormat.PDF: "application/pdf",
    FileFormat.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    FileFormat.TXT: "text/plain",
    FileFormat.MD: "text/markdown",
    FileFormat.HTML: "text/html",
    FileFormat.CSV: "text/csv",
}

Row = tuple[str, ...]


class Writing(msgspec.Struct, frozen=True):
    """A letter, pleading, contract or note: heading, place and date, paragraphs, perhaps a table (first row: heads)."""

    title: str
    written_on: date
    paragraphs: tuple[str, ...]
    table: tuple[Row, ...] = ()

    @property
    def dateline(self) -> str:
        """Place and date as the firm writes them."""
        return f"München, den {german_date(self.written_on)}"


def german_date(day: date) -> str:
    """Write a date as `02.03.2026`."""
    return day.strftime("%d.%m.%Y")


def euros(cents: int) -> str:
    """Write an amount as `1.234,50 €`."""
    whole, rest = divmod(cents, 100)
    return f"{whole:,}".replace(",", ".") + f",{rest:02} €"
