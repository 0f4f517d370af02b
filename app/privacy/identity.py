"""Whose row a request speaks about: ids become pseudonyms here, and no further.

A visitor who agreed to more than the visit is known by the shop's user id (signed by the shop) or by the beacon's
random id; one who agreed to the visit only, by the visit's id. Where the request says nothing about consent, both are
looked up: the row of a person who once decided answers, else the visit.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from store.records import PersonRow

LEAST_ANON = 22
"""Characters: 128 random bits as base64url; shorter ids could be guessed, and with them a profile."""


class Pseudonyms(Protocol):
    """What of the key ring this needs."""

    def pseudonym(self, kind: str, id: str) -> bytes: ...  # noqa: A002 - the key ring's own name for it


class Claim(NamedTuple):
    """Who a request says it comes from."""

    state: str = ""
    """The consent state it carries; see ConsentSignal."""
    anon: str = ""
    user: str = ""
    user_sig: str = ""
    session: str = ""
    trusted: bool = False
    """It came with a server key, so the shop itself says so."""


class Persons(NamedTuple):
    """Pseudonyms under which the visitor may have a row."""

    lasting: bytes | None = None
    """By user or beacon id: outlives the visit."""
    visit: bytes | None = None
    """By session id."""
    signed_in: bool = False
    forged: bool = False
    """A user id came whose signature is not the shop's; it was ignored."""


NOBODY = Persons()


def persons_of(claim: Claim, keys: Pseudonyms, signing_secret: bytes) -> Persons:
    """The pseudonyms to look up; both None: nobody anything could be kept about.

    `user_sig` is the hex HMAC-SHA-256 of the user id under the shop's signing secret. Without it a browser could read
    and poison anyone's profile, so the user id is then ignored.
    """
    signed = bool(claim.user) and (claim.trusted or _signed(claim.user, claim.user_sig, signing_secret))
    forged = bool(claim.user) and not signed
    visit = keys.pseudonym("session", claim.session) if claim.session else None
    if claim.state == "session":
        return Persons(None, visit, False, forged)
    if signed:
        return Persons(keys.pseudonym("user", claim.user), visit, True, False)
    if claim.anon and (claim.trusted or len(claim.anon) >= LEAST_ANON):
        return Persons(keys.pseudonym("anon", claim.anon), visit, False, forged)
    return Persons(None, visit, False, forged)


def whose(persons: Persons, state: str, rows: Mapping[bytes, PersonRow]) -> bytes | None:
    """Of the pseudonyms the one whose row speaks; `rows` are those found in the database.

    A request that says nothing about consent speaks for the person only where that person once decided.
    """
    if state:
        return persons.lasting or persons.visit
    row = rows.get(persons.lasting) if persons.lasting else None
    if row is not None and row.consent_at:
        return persons.lasting
    return persons.visit


def sign_user(user: str, signing_secret: bytes) -> str:
    """The `user_sig` a shop's server puts beside a user id."""
    return hmac.new(signing_secret, user.encode(), hashlib.sha256).hexdigest()


def _signed(user: str, signature: str, signing_secret: bytes) -> bool:
    return bool(signature) and hmac.compare_digest(sign_user(user, signing_secret).encode(), signature.lower().encode())
