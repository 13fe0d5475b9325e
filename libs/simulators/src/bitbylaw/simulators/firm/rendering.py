"""Writings become files: the same writing gives the same bytes, at any time, with the same libraries."""

import csv
import html
import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from functools import lru_cache

import docx
from fpdf import FPDF

from bitbylaw.simulators.firm.writing import FileFormat, Writing

_FIRM = "Rechtsanwälte Brückner & Sößner PartG mbB"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_LATIN = str.maketrans({"€": "EUR", "„": '"', "“": '"', "–": "-", "…": "...", "ş": "s"})


@lru_cache(maxsize=256)
def rendered(writing: Writing, file_format: FileFormat) -> bytes:
    """The file's content."""
    return _RENDERERS[file_format](writing)


def _pdf(writing: Writing) -> bytes:
    pdf = FPDF(format="A4")
    pdf.set_creation_date(_moment(writing))
    pdf.set_title(writing.title)
    pdf.set_author(_FIRM)
    pdf.set_margin(22)
    pdf.add_page()
    for style, size, lines in (
        ("", 9, (_FIRM, writing.dateline)),
        ("B", 14, (writing.title,)),
        ("", 11, writing.paragraphs),
        ("", 9, tuple("   ".join(row) for row in writing.table)),
    ):
        pdf.set_font("Helvetica", style, size)
        for line in lines:
            pdf.multi_cell(0, size * 0.55, _latin(line), new_x="LMARGIN", new_y="NEXT")
            pdf.ln(2)
    return bytes(pdf.output())


def _latin(text: str) -> str:
    """Say it with the characters of PDF's built-in fonts: umlauts and § are there, the euro sign is not."""
    return text.translate(_LATIN).encode("latin-1", errors="replace").decode("latin-1")


def _docx(writing: Writing) -> bytes:
    document = docx.Document()
    about, moment = document.core_properties, _moment(writing).replace(tzinfo=None)
    about.author, about.title, about.created, about.modified = _FIRM, writing.title, moment, moment
    document.add_paragraph(f"{_FIRM}\n{writing.dateline}")
    document.add_heading(writing.title, level=1)
    for paragraph in writing.paragraphs:
        document.add_paragraph(paragraph)
    if writing.table:
        table = document.add_table(rows=0, cols=len(writing.table[0]))
        for row in writing.table:
            for cell, text in zip(table.add_row().cells, row, strict=True):
                cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    return _without_zip_times(buffer)


def _without_zip_times(buffer: io.BytesIO) -> bytes:
    """Write the archive again with a fixed time: python-docx stamps every member with the present one."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, _ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return fixed.getvalue()


def _txt(writing: Writing) -> bytes:
    rows = ("\t".join(row) for row in writing.table)
    parts = (_FIRM, writing.dateline, writing.title.upper(), *writing.paragraphs, "\n".join(rows))
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _markdown(writing: Writing) -> bytes:
    rows = ["| " + " | ".join(row) + " |" for row in writing.table]
    if rows:
        rows.insert(1, "|" + "---|" * len(writing.table[0]))
    parts = (f"# {writing.title}", f"*{writing.dateline}*", *writing.paragraphs, "\n".join(rows))
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def _html(writing: Writing) -> bytes:
    paragraphs = "\n".join(f"<p>{html.escape(text)}</p>" for text in (writing.dateline, *writing.paragraphs))
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>\n" for row in writing.table)
    table = f"<table>\n{rows}</table>" if rows else ""
    title = html.escape(writing.title)
    head = f'<head><meta charset="utf-8"><title>{title}</title></head>'
    body = f"<h1>{title}</h1>\n{paragraphs}\n{table}"
    return f'<!doctype html>\n<html lang="de">{head}\n<body>{body}</body></html>\n'.encode()


def _csv(writing: Writing) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(writing.table)
    return text.getvalue().encode()


def _moment(writing: Writing) -> datetime:
    return datetime.combine(writing.written_on, time(9), tzinfo=UTC)


_RENDERERS: dict[FileFormat, Callable[[Writing], bytes]] = {
    FileFormat.PDF: _pdf,
    FileFormat.DOCX: _docx,
    FileFormat.TXT: _txt,
    FileFormat.MD: _markdown,
    FileFormat.HTML: _html,
    FileFormat.CSV: _csv,
}
