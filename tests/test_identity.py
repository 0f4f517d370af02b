import hashlib
import hmac

from app.privacy.identity import Claim, Persons, persons_of, whose
from store.records import PersonRow

SECRET = b"signing secret"
ANON = "a" * 32
LASTING, VISIT = b"lasting", b"visit"


class Keys:
    def pseudonym(self, kind: str, name: str) -> bytes:
        return hashlib.sha256(f"{kind}|{name}".encode()).digest()[:16]

    def pseudonym_before(self, kind: str, name: str) -> bytes | None:
        return None

    def check_user(self, user: str, signature: str) -> bool:
        return hmac.compare_digest(hmac.digest(SECRET, user.encode(), "sha256").hex(), signature)


def sign(user: str) -> str:
    return hmac.digest(SECRET, user.encode(), "sha256").hex()


def test_a_browser_cannot_claim_to_be_a_user_the_shop_did_not_sign() -> None:
    keys = Keys()
    forged = persons_of(Claim(anon=ANON, user="ann", user_sig=sign("bob")), keys)
    assert (forged.lasting, forged.signed_in) == (keys.pseudonym("anon", ANON), False)
    signed = persons_of(Claim(anon=ANON, user="ann", user_sig=sign("ann")), keys)
    assert (signed.lasting, signed.signed_in) == (keys.pseudonym("user", "ann"), True)
    server = persons_of(Claim(user="ann", trusted=True), keys)
    assert server.lasting == signed.lasting


def test_an_id_short_enough_to_guess_leads_to_nobody() -> None:
    assert persons_of(Claim(anon="123"), Keys()) == Persons()
    assert persons_of(Claim(anon="123", trusted=True), Keys()).lasting is not None


def test_a_user_a_beacon_and_a_visit_of_the_same_name_are_three_people() -> None:
    names = {Keys().pseudonym(kind, ANON) for kind in ("user", "anon", "session")}
    assert len(names) == 3


def test_consent_to_the_visit_speaks_for_the_visit_only() -> None:
    persons = Persons(LASTING, VISIT)
    rows = {LASTING: PersonRow(1, consent=127, consent_at=5)}
    assert whose(persons, "session", rows) == VISIT
    assert whose(persons, "granted", rows) == LASTING
    assert whose(Persons(None, VISIT), "granted", {}) == VISIT


def test_without_a_word_about_consent_only_a_person_who_once_decided_is_recognised() -> None:
    persons = Persons(LASTING, VISIT)
    assert whose(persons, "", {LASTING: PersonRow(1, consent=0, consent_at=5)}) == LASTING
    assert whose(persons, "", {LASTING: PersonRow(1, consent=1, consent_at=0)}) == VISIT
    assert whose(persons, "", {}) == VISIT
    assert whose(Persons(LASTING, None), "", {}) is None
