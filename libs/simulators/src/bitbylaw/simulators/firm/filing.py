"""Which documents the firm has of its suits and clients, under which names, and what they are linked to."""

from collections.abc import Callable, Sequence

from bitbylaw.simulators.firm import court_papers as court
from bitbylaw.simulators.firm import office_papers as office
from bitbylaw.simulators.firm import tenancy_papers as tenancy
from bitbylaw.simulators.firm.matter import Matter
from bitbylaw.simulators.firm.model import Account, FirmDocument, Person
from bitbylaw.simulators.firm.writing import FileFormat, Writing

_Paper = tuple[str, Callable[[Matter], Writing], FileFormat, str, str]
"""Kind, text, format, keyword, and to what it is linked: some of `a`ccount, `k`lage, `p`ersons."""

_KLAGESCHRIFT: _Paper = ("Klageschrift", court.klageschrift, FileFormat.PDF, "Klage", "akp")
_KUENDIGUNG: _Paper = ("Fristlose Kündigung", tenancy.kuendigung, FileFormat.DOCX, "Sonstiges", "kp")
_KUENDIGUNG_ALS_TEXT: _Paper = ("Kündigung (Entwurf)", tenancy.kuendigung, FileFormat.TXT, "Sonstiges", "kp")
_THIRD_PAPERS: tuple[_Paper, ...] = (
    ("Mietvertrag", tenancy.mietvertrag, FileFormat.PDF, "Vertrag", "akp"),
    ("Mietkonto", tenancy.mietkonto, FileFormat.CSV, "Beweis", "k"),
    ("Kostenfestsetzungsantrag", court.kostenfestsetzungsantrag, FileFormat.PDF, "Sonstiges", "ak"),
    ("Telefonvermerk", office.vermerk, FileFormat.TXT, "Sonstiges", "k"),
    ("E-Mail an Mandantin", office.mail, FileFormat.HTML, "Sonstiges", "ak"),
    ("Ladung zum Termin", court.ladung, FileFormat.PDF, "Klage", "k"),
    ("Replik auf Klageerwiderung", court.replik, FileFormat.DOCX, "Klage", "k"),
    ("Versäumnisurteil", court.versaeumnisurteil, FileFormat.PDF, "Klage", "kp"),
    ("Vermerk für die Akte", office.vermerk, FileFormat.MD, "Sonstiges", "kp"),
    ("Übergabeprotokoll", tenancy.uebergabeprotokoll, FileFormat.DOCX, "Beweis", "p"),
)
_DRAFT_EVERY = 4
_SLASH_EVERY = 3
_VOLLMACHTEN = 4


def all_documents(
    matters: Sequence[Matter], accounts: Sequence[Account], persons: Sequence[Person]
) -> tuple[FirmDocument, ...]:
    """Forty documents for ten suits and six clients: three of each suit, one of each client, four more."""
    return (
        *(document for number, matter in enumerate(matters) for document in _of_matter(number, matter)),
        *(_of_account(number, account) for number, account in enumerate(accounts)),
        *(_of_several(number, matters[start : start + 3]) for number, start in enumerate((0, 4))),
        *(_of_person(number, person) for number, person in enumerate(persons[:2])),
    )


def _of_matter(number: int, matter: Matter) -> list[FirmDocument]:
    drafted = number % _DRAFT_EVERY == _DRAFT_EVERY - 1
    papers = (
        _KLAGESCHRIFT,
        _KUENDIGUNG_ALS_TEXT if drafted else _KUENDIGUNG,
        _THIRD_PAPERS[number % len(_THIRD_PAPERS)],
    )
    return [_paper(f"{number + 1:02}-{place}", matter, paper) for place, paper in enumerate(papers, start=1)]


def _paper(key: str, matter: Matter, paper: _Paper) -> FirmDocument:
    kind, write, file_format, keyword, links = paper
    return FirmDocument(
        key=f"dokument-{key}",
        name=f"{kind} {matter.short} ({matter.klage.aktenzeichen})",
        filename=f"{kind} {_file_title(matter)}.{file_format}",
        format=file_format,
        writing=write(matter),
        keyword=keyword,
        account=matter.account.key if "a" in links else None,
        klagen=(matter.klage.key,) if "k" in links else (),
        persons=tuple(person.key for person in matter.tenants) if "p" in links else (),
    )


def _file_title(matter: Matter) -> str:
    """The parties as files are named: `./.` cannot be in a name on disk, but EspoCRM takes it, so some have it."""
    number = int(matter.klage.key.rpartition("-")[2])
    return matter.short if number % _SLASH_EVERY == 0 else matter.short.replace("./.", "._.")


def _of_account(number: int, account: Account) -> FirmDocument:
    is_vollmacht = number < _VOLLMACHTEN
    kind = "Prozessvollmacht" if is_vollmacht else "Vergütungsvereinbarung"
    file_format = FileFormat.PDF if is_vollmacht else FileFormat.DOCX
    return FirmDocument(
        key=f"dokument-mandant-{number + 1}",
        name=f"{kind} {account.name}",
        filename=f"{kind} {account.name}.{file_format}",
        format=file_format,
        writing=office.vollmacht(account) if is_vollmacht else office.mandatsvereinbarung(account),
        keyword="Vertrag",
        account=account.key,
    )


def _of_several(number: int, matters: Sequence[Matter]) -> FirmDocument:
    file_format = (FileFormat.CSV, FileFormat.HTML)[number]
    return FirmDocument(
        key=f"dokument-übersicht-{number + 1}",
        name=f"Übersicht Räumungsverfahren Teil {number + 1}",
        filename=f"Übersicht Räumungsverfahren Teil {number + 1}.{file_format}",
        format=file_format,
        writing=office.uebersicht(matters),
        keyword="Sonstiges",
        klagen=tuple(matter.klage.key for matter in matters),
    )


def _of_person(number: int, person: Person) -> FirmDocument:
    return FirmDocument(
        key=f"dokument-person-{number + 1}",
        name=f"Melderegisterauskunft {person.name}",
        filename=f"Melderegisterauskunft {person.last_name}.txt",
        format=FileFormat.TXT,
        writing=office.melderegisterauskunft(person),
        keyword="Beweis",
        persons=(person.key,),
    )
