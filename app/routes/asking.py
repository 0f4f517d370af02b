"""Whom an answer is for: the visitor behind a request, as far as they agreed to be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request

from app.privacy.gatekeeper import ConsentSignal, Decision, gpc_signal, named_purposes
from app.privacy.identity import Claim
from app.privacy.signals import permitted
from app.privacy.visitor import VisitorOnWire
from app.problem import Problem
from app.routes.bearer import bearer
from app.serving.trials import NoSuchArm
from app.serving.visitors import VisitorReader
from plugins.contract import Visitor
from store.api_keys import ApiKey
from store.records import PersonRow

if TYPE_CHECKING:
    from app.node import Node

VISITOR_HEADER = "personalize-visitor"
NAMES_VISITOR = {VISITOR_HEADER: "The visitor, a JSON object as `visitor` in POST /v1/recommendations"}
PERSONAL = {"cache-control": "private, no-store"}
FOR_EVERYONE = {
    "cache-control": "public, max-age=30, s-maxage=60, stale-while-revalidate=300",
    "vary": VISITOR_HEADER,
}


class Asking:
    """Reads visitors for the routes that answer them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._visitors = VisitorReader(
            lambda: node.gatekeeper, node.keys, node.person, node.vault, node.config.features, node.catalogue,
            node.assigner, self._segments,
        )  # fmt: skip

    def visitor(
        self, request: Request, told: VisitorOnWire, region: str, key_text: str
    ) -> tuple[Visitor, dict[str, str]]:
        """Who is asking, and the headers of an answer to them. Raises Problem 401 for a key that is not ours."""
        key = self.key(request, key_text)
        gpc = gpc_signal(request.headers.getlist("sec-gpc"))
        most, also_gpc = permitted(self._node.plugins, told.signals) if told.signals else (None, False)
        signal = ConsentSignal(
            told.consent or "", named_purposes(told.purposes), told.consent_version or "", region, gpc or also_gpc,
            told=most,
        )  # fmt: skip
        trusted = key is not None and key.kind == "server"
        claim = Claim(told.anon or "", told.user or "", told.user_sig or "", told.session or "", trusted=trusted)
        visitor, decision = self._visitors.read(claim, signal, self._node.clock.now())
        return visitor, PERSONAL | ({"gpc-honoured": "1"} if decision.gpc_honoured else {})

    def of_url(self, request: Request, region: str) -> tuple[Visitor, dict[str, str]]:
        """Whom the answer of a URL is for, and its headers: everyone, unless the shop's server says in a header for
        whom. Raises Problem 401, 404."""
        named = visitor_header(request)
        if named is None:
            return self.nobody(request), FOR_EVERYONE
        if not self.by_server(request, ""):
            raise Problem(401, "A server key is needed", f"only the shop's server may send {VISITOR_HEADER}")
        return self.visitor(request, named, region, "")

    def nobody(self, request: Request) -> Visitor:
        """Nobody, in the arm that the URL names. Raises Problem 404 where it is not running."""
        label, trials = request.query_params.get("experiment"), self._node.recommender.trials
        try:
            return Visitor(arms=trials.named(label)) if label and trials is not None else Visitor()
        except NoSuchArm as missing:
            raise Problem(404, "No such arm", str(missing)) from None

    def _segments(self, affinities: Mapping[str, float]) -> frozenset[str]:
        return self._node.model.segments(affinities)

    def row(self, claim: Claim, signal: ConsentSignal) -> tuple[PersonRow | None, Decision]:
        """The row behind a claim and what may be done with it; none is read where the signal rules everything out."""
        return self._visitors.row(claim, signal, self._node.clock.now())

    def by_server(self, request: Request, key_text: str) -> bool:
        """Whether the shop's own server asks. Raises Problem 401 for a key that is not ours."""
        key = self.key(request, key_text)
        return key is not None and key.kind == "server"

    def key(self, request: Request, text: str) -> ApiKey | None:
        """The API key of a request, from its Authorization header, else from its body; None where it brings none."""
        text = bearer(request.headers.get("authorization", "")) or text
        if not text:
            return None
        key = self._node.keys.check(text)
        if key is None:
            raise Problem(401, "Unknown API key", "the key of this request is not (or no longer) valid")
        return key


def visitor_header(request: Request) -> VisitorOnWire | None:
    """The visitor a request names in its header; None where it names nobody. Raises Problem 400 for anything else."""
    text = request.headers.get(VISITOR_HEADER)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=VisitorOnWire)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError) as error:
        raise Problem(400, f"Not a valid {VISITOR_HEADER}", f"a JSON object as `visitor` in a POST: {error}") from None
