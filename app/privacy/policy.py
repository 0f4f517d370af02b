"""What the law of each region lets the shop do with and without asking, as the operator writes it in the configuration.

Three jurisdictions ship; an operator changes single fields of them or adds his own. Nothing here is legal advice: the
text version named in `version` is the shop's, and so is the responsibility for it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Mode = Literal["opt-in", "opt-out", "off"]
"""`opt-in`: only after a yes. `opt-out`: until a no (or Global Privacy Control). `off`: never."""
VaultMode = Literal["opt-in", "off"]
"""The vault is never opened without a yes that names the category."""


class Jurisdiction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done in some regions; the defaults ask before everything."""

    regions: tuple[str, ...] = ()
    """ISO 3166 codes ("FR", "US-CA") this applies to; "*" is every region that no other jurisdiction names."""
    session: Mode = "opt-in"
    """Clicks and views of the visit going on."""
    profile: Mode = "opt-in"
    """Features that outlive the visit."""
    training: Mode = "opt-in"
    """Learning across people."""
    experiments: Mode = "opt-in"
    """Assignment to an experiment's arm."""
    purchases: VaultMode = "opt-in"
    """What was bought, in the vault."""
    searches: VaultMode = "opt-in"
    """What was searched, in the vault."""
    location: VaultMode = "opt-in"
    """Where the person is, in the vault."""
    gpc: Literal["honour", "ignore"] = "honour"
    """Whether Global Privacy Control is a no to everything that is `opt-out`."""
    record_days: Annotated[int, Meta(ge=1)] = 395
    """Age in days after which a recorded decision counts as absent and has to be asked for again."""


class EuropeanUnion(Jurisdiction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GDPR and ePrivacy: the European Economic Area, the United Kingdom and Switzerland."""

    # fmt: off
    regions: tuple[str, ...] = (
        "EU", "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
        "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "IS", "LI", "NO", "GB", "UK", "CH",
    )
    # fmt: on


class California(Jurisdiction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CCPA: the visit may be used until the visitor says no or sends Global Privacy Control (11 CCR 7025)."""

    regions: tuple[str, ...] = ("US-CA",)
    session: Mode = "opt-out"


class Elsewhere(Jurisdiction, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every region that is not named elsewhere: the visit until a no, all else after a yes."""

    regions: tuple[str, ...] = ("*",)
    session: Mode = "opt-out"


class ConsentPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shop's consent policy. Where two jurisdictions apply (the shop's and the visitor's), the strictest wins."""

    version: str = "1"
    """Version of the policy text the shop shows; kept with every decision."""
    home: str = "default"
    """The jurisdiction of the shop itself, wherever its visitors are: `eu`, `us-ca`, `default` or one of `more`."""
    eu: EuropeanUnion = EuropeanUnion()
    us_ca: California = msgspec.field(default=California(), name="us-ca")
    default: Elsewhere = Elsewhere()
    more: dict[str, Jurisdiction] = msgspec.field(default_factory=dict)
    """Further jurisdictions by name."""

    def jurisdictions(self) -> dict[str, Jurisdiction]:
        """All of them by name."""
        return {**self.more, "eu": self.eu, "us-ca": self.us_ca, "default": self.default}

    def record_days(self, region: str) -> int:
        """Age in days after which a decision has to be asked for again, for a visitor of this region."""
        known, region = self.jurisdictions(), region.upper()
        home = known[self.home].record_days
        for wanted in (region, region.partition("-")[0], "*"):
            found = [each.record_days for each in known.values() if wanted in map(str.upper, each.regions)]
            if region and found:
                return min(home, *found)
        return home

    def problems(self) -> list[tuple[str, str]]:
        """What cannot be meant, as (setting, sentence)."""
        found: list[tuple[str, str]] = []
        known = self.jurisdictions()
        if self.home not in known:
            found.append(("home", f"{self.home!r} is no jurisdiction; there are {', '.join(sorted(known))}"))
        shipped = self.more.keys() & {"eu", "us-ca", "default"}
        found += [(f"more.{name}", f"ships already: write [{name}] instead") for name in shipped]
        listed = [(region.upper(), name) for name, each in known.items() for region in each.regions]
        owner = dict(reversed(listed))
        found += [
            (f"{name}.regions", f"{region!r} is already listed by {owner[region]!r}")
            for region, name in listed
            if owner[region] != name
        ]
        return found
