"""The firm's own papers: powers of attorney, fee agreements, notes, mails, overviews."""

from collections.abc import Sequence
from datetime import date, timedelta

from bitbylaw.simulators.firm.matter import Matter
from bitbylaw.simulators.firm.model import Account, Person
from bitbylaw.simulators.firm.writing import Writing, euros, german_date

_OFFICE_DAY = date(2026, 1, 12)


def vollmacht(account: Account) -> Writing:
    """The power of attorney of a client."""
    return Writing(
        title=f"Vollmacht {account.name}",
        written_on=_OFFICE_DAY,
        paragraphs=(
            (
                "Den Rechtsanwälten Brückner & Sößner PartG mbB wird hiermit in allen Räumungs- und Zahlungsklagen der "
                f"{account.name}, {account.street}, {account.postal_code} {account.city}, Vollmacht erteilt."
            ),
            (
                "Die Vollmacht umfasst die Prozessführung (§§ 81 ff. ZPO), den Ausspruch von Kündigungen und den "
                "Empfang von Geldern."
            ),
        ),
    )


def mandatsvereinbarung(account: Account) -> Writing:
    """The agreement on fees with a client."""
    return Writing(
        title=f"Mandats- und Vergütungsvereinbarung {account.name}",
        written_on=_OFFICE_DAY,
        paragraphs=(
            (
                f"Für die außergerichtliche Tätigkeit zahlt {account.name} einen Stundensatz von {euros(24000)} "
                "zuzüglich Umsatzsteuer. Für gerichtliche Verfahren gilt das RVG."
            ),
            "Die Höhe der Vergütung übersteigt möglicherweise die gesetzliche; erstattet wird nur die gesetzliche.",
        ),
    )


def vermerk(matter: Matter) -> Writing:
    """A note on a telephone call."""
    return Writing(
        title=f"Telefonvermerk {matter.short}",
        written_on=matter.sued_on + timedelta(days=10),
        paragraphs=(
            f"{matter.tenants[0].name} rief an und bietet Ratenzahlung zu {euros(15000)} monatlich an.",
            "Rücksprache mit der Mandantin: abgelehnt. Wiedervorlage in zwei Wochen, Räumungsfrist prüfen (§ 721 ZPO).",
        ),
    )


def mail(matter: Matter) -> Writing:
    """A mail to the client."""
    return Writing(
        title=f"AW: {matter.klage.name}",
        written_on=matter.sued_on + timedelta(days=3),
        paragraphs=(
            "Sehr geehrte Damen und Herren,",
            (
                f"die Klage wurde heute über das beA eingereicht. Das {matter.court} wird das Aktenzeichen mitteilen; "
                f"den Gerichtskostenvorschuss bitten wir auszugleichen. Streitwert: {euros(matter.claim_value)}."
            ),
            "Mit freundlichen Grüßen – Brückner & Sößner",
        ),
    )


def melderegisterauskunft(person: Person) -> Writing:
    """The register's answer on where someone lives."""
    return Writing(
        title=f"Einfache Melderegisterauskunft {person.name}",
        written_on=_OFFICE_DAY,
        paragraphs=(
            (
                f"Zu {person.name}, geboren am {german_date(person.born_on)}, wird gemäß § 44 BMG mitgeteilt: "
                "Die Person ist unter der angefragten Anschrift gemeldet. Gebühr: 11,00 €."
            ),
        ),
    )


def uebersicht(matters: Sequence[Matter]) -> Writing:
    """An overview of several suits."""
    return Writing(
        title=f"Übersicht Räumungsverfahren, Stand {german_date(_OFFICE_DAY)}",
        written_on=_OFFICE_DAY,
        paragraphs=(f"{len(matters)} Verfahren für die wöchentliche Besprechung.",),
        table=(
            ("Aktenzeichen", "Parteien", "Rückstand"),
            *((matter.klage.aktenzeichen, matter.short, euros(matter.arrears)) for matter in matters),
        ),
    )
