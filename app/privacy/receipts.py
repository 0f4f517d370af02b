"""The receipt a person gets for a decision: what it was, for what, for how long; signed, so that anyone can check it.

Field names are those of ISO/IEC TS 27560:2023 (consent record information structure). The ledger keeps the decision,
this makes the words: purposes, data and life spans are read off the registry of personal fields and the configuration.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.config import Config
from store.consent_ledger import Decided, LedgerEntry
from store.fields import FIELDS
from store.keys import KeyRing
from store.records import PURPOSE_NAMES

SCHEMA = "ISO/IEC TS 27560:2023"
ALGORITHM = "Ed25519"


class PurposeOnReceipt(msgspec.Struct, frozen=True):
    """What became of one purpose."""

    purpose: str
    event_state: str
    """`given`, `refused`, `withdrawn`, `objected` or `suspended`."""
    lawful_basis: str
    pii_information: list[str]
    """Kinds of data kept for it."""
    retention_period: list[str]
    """How long, ISO 8601 durations."""


class EventOnReceipt(msgspec.Struct, frozen=True):
    """When and how it was decided."""

    event_time: str
    event_type: str
    event_state: str
    validity_duration: str
    entity_id: str


class LedgerPlace(msgspec.Struct, frozen=True):
    """Where the ledger has it."""

    seq: int
    hash: str


class Signature(msgspec.Struct, frozen=True):
    """Over the receipt without this field, as JSON with sorted keys and no spaces, UTF-8."""

    alg: str
    kid: str
    value: str


class Receipt(msgspec.Struct, frozen=True):
    """What a person can keep as proof."""

    schema_version: str
    record_id: str
    pii_principal_id: str
    """A commitment; says nothing to anyone but the node, and nothing to the node after an erasure."""
    pii_controllers: list[str]
    privacy_notice: str
    language: str
    jurisdiction: str
    collection_method: str
    withdrawal_method: str
    privacy_rights: list[str]
    purposes: list[PurposeOnReceipt]
    event: list[EventOnReceipt]
    ledger: LedgerPlace
    signature: Signature | None = None


def receipt_of(entry: LedgerEntry, decided: Decided, config: Config, keys: KeyRing) -> Receipt:
    """The signed receipt of one row of the ledger; the same row gives the same receipt again."""
    state = "given" if decided.purposes else "withdrawn" if decided.withdrawn else "refused"
    receipt = Receipt(
        schema_version=SCHEMA,
        record_id=f"{entry.seq}-{entry.hash[:8].hex()}",
        pii_principal_id=entry.commitment.hex(),
        pii_controllers=[config.shop.name],
        privacy_notice=decided.version or config.consent.version,
        language=decided.language,
        jurisdiction=decided.region or config.consent.home,
        collection_method=decided.source,
        withdrawal_method="POST /v1/consent",
        privacy_rights=[
            "access: GET /v1/me/export",
            "erasure: DELETE /v1/me",
            "objection, restriction: POST /v1/consent",
        ],
        purposes=[_purpose(name, int(purpose), decided, config) for name, purpose in PURPOSE_NAMES.items() if purpose],
        event=[
            EventOnReceipt(
                event_time=datetime.fromtimestamp(decided.at, UTC).isoformat(),
                event_type="explicit",
                event_state=state,
                validity_duration=f"P{config.consent.record_days(decided.region)}D",
                entity_id="pii_principal",
            )
        ],
        ledger=LedgerPlace(entry.seq, entry.hash.hex()),
    )
    return msgspec.structs.replace(receipt, signature=signature_of(msgspec.to_builtins(receipt), keys))


def signature_of(told: Mapping[str, Any], keys: KeyRing) -> Signature:
    """This node's signature over a receipt, as `receipt_is_genuine` checks it."""
    value = base64.urlsafe_b64encode(keys.sign_receipt(_signed_bytes(told))).decode()
    return Signature(ALGORITHM, key_id(keys.receipt_public_key), value)


def receipt_is_genuine(told: Mapping[str, Any], public_key: bytes) -> bool:
    """Whether a receipt (as read from JSON) was signed by the holder of this key and not changed since."""
    signature = told.get("signature")
    if not isinstance(signature, Mapping) or signature.get("alg") != ALGORITHM:
        return False
    try:
        value = base64.urlsafe_b64decode(str(signature.get("value", "")))
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, _signed_bytes(told))
    except (InvalidSignature, ValueError, TypeError, msgspec.MsgspecError):
        return False
    return True


def key_id(public_key: bytes) -> str:
    """Names the key that signed."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def public_key_set(public_key: bytes) -> dict[str, list[dict[str, str]]]:
    """The key as a JSON Web Key Set (RFC 8037)."""
    x = base64.urlsafe_b64encode(public_key).decode().rstrip("=")
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": key_id(public_key), "x": x}]}


def kept_for(setting: str, config: Config) -> str:
    """A setting that bounds a life, as an ISO 8601 duration; empty where the configuration has no such setting."""
    section, _, name = setting.partition(".")
    value = getattr(getattr(config, section, None), name, None)
    if not isinstance(value, int | float):
        return ""
    unit = {"days": "P{}D", "minutes": "PT{}M", "hours": "PT{}H", "months": "P{}M"}.get(name.rpartition("_")[2], "P{}D")
    return unit.format(f"{value:g}")


def _signed_bytes(told: Mapping[str, Any]) -> bytes:
    content = {name: value for name, value in told.items() if name != "signature"}
    return msgspec.json.encode(content, order="sorted")


def _purpose(name: str, purpose: int, decided: Decided, config: Config) -> PurposeOnReceipt:
    if decided.objected & purpose:
        state = "objected"
    elif decided.purposes & purpose:
        state = "suspended" if decided.restricted else "given"
    else:
        state = "withdrawn" if decided.withdrawn & purpose else "refused"
    fields = [field for field in FIELDS if int(field.purpose) & purpose]
    lives = (kept_for(field.ttl_setting, config) for field in fields)
    return PurposeOnReceipt(
        purpose=name,
        event_state=state,
        lawful_basis="consent" if state in ("given", "suspended") else "none",
        pii_information=sorted({field.category for field in fields}),
        retention_period=sorted({life for life in lives if life}),
    )
