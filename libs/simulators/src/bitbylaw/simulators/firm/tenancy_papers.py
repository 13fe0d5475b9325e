"""The papers of the tenancy: contract, termination, rent account, handover."""

from datetime import date, timedelta

from bitbylaw.simulators.firm.matter import Matter
from bitbylaw.simulators.firm.writing import Writing, euros, german_date

_MONTHS_SHOWN = 8


def mietvertrag(matter: Matter) -> Writing:
    """The contract."""
    return Writing(
        title=f"Wohnraummietvertrag {matter.flat}",
        written_on=matter.rented_on,
        paragraphs=(
            f"Zwischen {matter.account.name} als Vermieterin und {matter.tenant_names} als Mieter wird geschlossen:",
            f"§ 1 Mietsache. Vermietet wird die Wohnung {matter.flat}, bestehend aus drei Zimmern, Küche und Bad.",
            f"§ 2 Mietzeit. Das Mietverhältnis beginnt am {german_date(matter.rented_on)} auf unbestimmte Zeit.",
            f"§ 3 Miete. Die Gesamtmiete beträgt {euros(matter.rent)} monatlich, fällig am dritten Werktag.",
            f"§ 4 Kaution. Die Sicherheit beträgt {euros(matter.rent * 3)}.",
            "§ 5 Schönheitsreparaturen. Es gelten die gesetzlichen Vorschriften.",
        ),
    )


def kuendigung(matter: Matter) -> Writing:
    """The termination without notice."""
    return Writing(
        title="Fristlose, hilfsweise ordentliche Kündigung",
        written_on=matter.terminated_on,
        paragraphs=(
            f"{matter.tenant_names}, {matter.flat}",
            (
                f"namens und in Vollmacht der {matter.account.name} kündigen wir das Mietverhältnis fristlos, "
                "hilfsweise ordentlich zum nächstmöglichen Termin."
            ),
            (
                f"Sie sind mit {matter.months_owed} Monatsmieten, zusammen {euros(matter.arrears)}, in Verzug. Wir "
                f"fordern Sie auf, bis zum {german_date(matter.terminated_on + timedelta(days=14))} zu räumen."
            ),
            "Einer stillschweigenden Verlängerung des Mietverhältnisses gemäß § 545 BGB wird widersprochen.",
            "Mit freundlichen Grüßen",
        ),
    )


def mietkonto(matter: Matter) -> Writing:
    """The rent account, month by month, the last ones unpaid."""
    rows = [("Monat", "Soll", "Ist", "Rückstand")]
    owed = 0
    for number in range(_MONTHS_SHOWN):
        paid = 0 if number >= _MONTHS_SHOWN - matter.months_owed else matter.rent
        owed += matter.rent - paid
        rows.append((_month(matter.terminated_on, number), euros(matter.rent), euros(paid), euros(owed)))
    return Writing(title=f"Mietkonto {matter.flat}", written_on=matter.terminated_on, paragraphs=(), table=tuple(rows))


def uebergabeprotokoll(matter: Matter) -> Writing:
    """The record of the handover."""
    return Writing(
        title=f"Übergabeprotokoll {matter.flat}",
        written_on=matter.rented_on,
        paragraphs=(
            f"Anwesend: {matter.tenant_names}; für die Vermieterin die Hausverwaltung.",
            (
                "Schlüssel: 3 Haustür, 2 Wohnungstür, 1 Briefkasten. Zähler abgelesen. Keine Mängel außer einem Sprung "
                "im Küchenfenster und fehlender Türklinke zum Gäste-WC."
            ),
        ),
    )


def _month(last: date, number: int) -> str:
    months = last.year * 12 + last.month - _MONTHS_SHOWN + number
    return f"{months % 12 + 1:02}/{months // 12}"
