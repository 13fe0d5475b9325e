"""Making up a firm: the same one for the same seed."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from bitbylaw.simulators.firm.filing import all_documents
from bitbylaw.simulators.firm.matter import matter_of, short_title
from bitbylaw.simulators.firm.model import Account, Firm, Klage, Person
from bitbylaw.simulators.firm.vocabulary import (
    COMPANIES,
    FIRST_NAMES,
    KLAGE_STATES,
    LAST_NAMES,
    MAIL_DOMAIN,
    PHONE_PREFIXES,
    PLACES,
    STREETS,
    mail_name,
)

ACCOUNTS = 6
KLAGEN = 10
PERSONS = 12


def law_firm(seed: int = 1) -> Firm:
    """Make up 6 clients, 10 suits, 12 parties and 40 documents."""
    dice = Random(seed)  # noqa: S311 - makes up names, guards nothing
    accounts = [_account(number, name, dice) for number, name in enumerate(dice.sample(COMPANIES, ACCOUNTS), start=1)]
    names = zip(dice.sample(FIRST_NAMES, PERSONS), dice.sample(LAST_NAMES, PERSONS), strict=True)
    persons = [_person(number, *name, dice) for number, name in enumerate(names, start=1)]
    matters = []
    for number, tenants in enumerate(_households(persons), start=1):
        account = accounts[(number - 1) % ACCOUNTS]
        matters.append(matter_of(_klage(number, account, tenants, dice), account, tenants, dice))
    return Firm(
        accounts=tuple(accounts),
        klagen=tuple(matter.klage for matter in matters),
        persons=tuple(persons),
        documents=all_documents(matters, accounts, persons),
    )


def _households(persons: Sequence[Person]) -> list[tuple[Person, ...]]:
    """Couples first, so that every person is sued once and every suit has someone to sue."""
    couples = PERSONS - KLAGEN
    pairs = [(persons[2 * number], persons[2 * number + 1]) for number in range(couples)]
    return [*pairs, *((person,) for person in persons[2 * couples :])]


def _account(number: int, name: str, dice: Random) -> Account:
    postal_code, city = dice.choice(PLACES)
    return Account(
        key=f"mandant-{number}",
        name=name,
        email=f"{mail_name(name)}@{MAIL_DOMAIN}",
        phone=_phone(number, dice),
        street=f"{dice.choice(STREETS)} {dice.randrange(1, 120)}",
        postal_code=postal_code,
        city=city,
    )


def _person(number: int, first_name: str, last_name: str, dice: Random) -> Person:
    return Person(
        key=f"person-{number}",
        first_name=first_name,
        last_name=last_name,
        born_on=date(1948, 1, 1) + timedelta(days=dice.randrange(20_000)),
        email=f"{mail_name(first_name)}.{mail_name(last_name)}@{MAIL_DOMAIN}",
        phone=_phone(ACCOUNTS + number, dice),
    )


def _klage(number: int, account: Account, tenants: tuple[Person, ...], dice: Random) -> Klage:
    return Klage(
        key=f"klage-{number}",
        name=f"Räumungsklage {short_title(account, tenants)}",
        aktenzeichen=f"{dice.randrange(2, 490)} C {100 * number + dice.randrange(100)}/26",
        status=dice.choice(KLAGE_STATES),
        account=account.key,
        persons=tuple(person.key for person in tenants),
    )


def _phone(number: int, dice: Random) -> str:
    """A number of its own for everyone."""
    return f"{dice.choice(PHONE_PREFIXES)}{number:03}"
