"""What the firm writes to and receives from the court."""

from datetime import timedelta

from bitbylaw.simulators.firm.matter import Matter
from bitbylaw.simulators.firm.writing import Writing, euros, german_date


def klageschrift(matter: Matter) -> Writing:
    """The statement of claim."""
    return Writing(
        title=f"Klageschrift: {matter.klage.name}",
        written_on=matter.sued_on,
        paragraphs=(
            f"An das {matter.court}",
            (
                f"In dem Rechtsstreit {matter.account.name}, {matter.account.street}, {matter.account.postal_code} "
                f"{matter.account.city}, – Klägerin – gegen {matter.tenant_names}, {matter.flat}, – beklagte Partei – "
                f"wegen Räumung und Zahlung, vorläufiger Streitwert: {euros(matter.claim_value)}, beantragen wir:"
            ),
            f"1. Die beklagte Partei wird verurteilt, die Wohnung {matter.flat} geräumt an die Klägerin herauszugeben.",
            (
                f"2. Die beklagte Partei wird verurteilt, an die Klägerin {euros(matter.arrears)} nebst Zinsen in Höhe "
                "von fünf Prozentpunkten über dem Basiszinssatz seit Rechtshängigkeit zu zahlen."
            ),
            "Begründung:",
            (
                f"Die Parteien verbindet ein Mietvertrag vom {german_date(matter.rented_on)} über eine Monatsmiete von "
                f"{euros(matter.rent)}. Die Miete blieb für {matter.months_owed} Monate aus. Das Mietverhältnis wurde "
                f"am {german_date(matter.terminated_on)} gemäß § 543 Abs. 2 Satz 1 Nr. 3 BGB fristlos gekündigt."
            ),
            "Beweis: Mietvertrag (Anlage K 1), Kündigung (Anlage K 2), Mietkonto (Anlage K 3).",
        ),
    )


def replik(matter: Matter) -> Writing:
    """The answer to the defence."""
    return Writing(
        title=f"Replik in Sachen {matter.short}",
        written_on=matter.sued_on + timedelta(days=49),
        paragraphs=(
            f"{matter.court}, Az. {matter.klage.aktenzeichen}",
            (
                "Auf die Klageerwiderung wird erwidert: Die behauptete Minderung wegen Schimmels an der Außenwand "
                "wird bestritten. Ein Mangel wurde der Klägerin nie angezeigt, § 536c BGB."
            ),
            (
                f"Selbst bei unterstellter Minderung um 20 % überstiege der Rückstand von {euros(matter.arrears)} noch "
                "immer zwei Monatsmieten. Die Schonfristzahlung ist ausgeblieben, § 569 Abs. 3 Nr. 2 BGB."
            ),
        ),
    )


def kostenfestsetzungsantrag(matter: Matter) -> Writing:
    """The request to fix the costs."""
    fee = matter.claim_value * 7 // 100
    lines = (("1,3 Verfahrensgebühr Nr. 3100 VV RVG", fee), ("1,2 Terminsgebühr Nr. 3104 VV RVG", fee * 12 // 13))
    flat_rate = 2000
    net = sum(amount for _text, amount in lines) + flat_rate
    return Writing(
        title=f"Kostenfestsetzungsantrag {matter.klage.aktenzeichen}",
        written_on=matter.sued_on + timedelta(days=120),
        paragraphs=(
            (
                f"In Sachen {matter.short} beantragen wir, die von der beklagten Partei zu erstattenden Kosten gemäß "
                "§§ 103 ff. ZPO festzusetzen und auszusprechen, dass sie ab Antragstellung zu verzinsen sind:"
            ),
        ),
        table=(
            ("Gebühr", "Betrag"),
            *((text, euros(amount)) for text, amount in lines),
            ("Auslagenpauschale Nr. 7002 VV RVG", euros(flat_rate)),
            ("Zwischensumme", euros(net)),
            ("19 % Umsatzsteuer Nr. 7008 VV RVG", euros(net * 19 // 100)),
        ),
    )


def ladung(matter: Matter) -> Writing:
    """The summons to the hearing."""
    hearing = matter.sued_on + timedelta(days=84)
    return Writing(
        title=f"Ladung zum Termin {matter.klage.aktenzeichen}",
        written_on=matter.sued_on + timedelta(days=35),
        paragraphs=(
            f"{matter.court}, Geschäftsstelle der Zivilabteilung",
            (
                f"In Sachen {matter.short} werden Sie zur Güteverhandlung und zum Haupttermin am "
                f"{german_date(hearing)} um 09:30 Uhr, Sitzungssaal 117, geladen. "
                "Das persönliche Erscheinen der Parteien ist angeordnet."
            ),
        ),
    )


def versaeumnisurteil(matter: Matter) -> Writing:
    """The judgment by default."""
    return Writing(
        title=f"Versäumnisurteil {matter.klage.aktenzeichen}",
        written_on=matter.sued_on + timedelta(days=84),
        paragraphs=(
            f"Im Namen des Volkes! In dem Rechtsstreit {matter.short} hat das {matter.court} für Recht erkannt:",
            f"1. Die beklagte Partei wird verurteilt, die Wohnung {matter.flat} zu räumen und herauszugeben.",
            f"2. Sie wird weiter verurteilt, {euros(matter.arrears)} zu zahlen. 3. Sie trägt die Kosten.",
            "4. Das Urteil ist vorläufig vollstreckbar.",
        ),
    )
