"""One eviction suit with all the facts its documents speak of."""

from datetime import date, timedelta
from random import Random

import msgspec

from bitbylaw.simulators.firm.model import Account, Klage, Person
from bitbylaw.simulators.firm.vocabulary import PLACES, STREETS


class Matter(msgspec.Struct, frozen=True, kw_only=True):
    """A suit, its parties and its facts; amounts in cents."""

    klage: Klage
    account: Account
    tenants: tuple[Person, ...]
    court: str
    flat: str
    rent: int
    months_owed: int
    rented_on: date
    terminated_on: date

    @property
    def arrears(self) -> int:
        """The rent that is owed."""
        return self.rent * self.months_owed

    @property
    def claim_value(self) -> int:
        """The value in dispute: a year's rent (§ 41 GKG) and the arrears."""
        return self.rent * 12 + self.arrears

    @property
    def sued_on(self) -> date:
        """The day of the statement of claim."""
        return self.terminated_on + timedelta(days=21)

    @property
    def short(self) -> str:
        """The parties as the firm names a file: `Grünwald ./. Groß`."""
        return short_title(self.account, self.tenants)

    @property
    def tenant_names(self) -> str:
        """All tenants."""
        return " und ".join(person.name for person in self.tenants)


def short_title(account: Account, tenants: tuple[Person, ...]) -> str:
    """Name the parties by one word each."""
    skipped = {"Dr.", "Hausverwaltung", "Erbengemeinschaft", "Wohnbau", "Baugenossenschaft", "Stiftung"}
    landlord = next(word for word in account.name.split() if word not in skipped)
    return f"{landlord} ./. {tenants[0].last_name}"


def matter_of(klage: Klage, account: Account, tenants: tuple[Person, ...], dice: Random) -> Matter:
    """Make up the facts of a suit."""
    postal_code, city = dice.choice(PLACES)
    terminated_on = date(2025, 9, 1) + timedelta(days=dice.randrange(240))
    return Matter(
        klage=klage,
        account=account,
        tenants=tenants,
        court=f"Amtsgericht {city}",
        flat=f"{dice.choice(STREETS)} {dice.randrange(1, 90)}, {postal_code} {city}",
        rent=dice.randrange(480, 1650) * 100 + dice.choice((0, 50)),
        months_owed=dice.randrange(3, 7),
        rented_on=date(dice.randrange(2008, 2023), dice.randrange(1, 13), 1),
        terminated_on=terminated_on,
    )
