"""Whom an answer is for: the visitor behind a request, as far as they agreed to be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from app.privacy.gatekeeper import ConsentSignal, gpc_signal, named_purposes
from app.privacy.identity import Claim
from app.problem import Problem
from app.serving.request import VisitorOnWire
from app.serving.visitors import VisitorReader
from plugins.contract import Visitor
from store.api_keys import ApiKey

if TYPE_CHECKING:
    from app.node import Node

PERSONAL = {"cache-control": "private, no-store"}


class Asking:
    """Reads visitors for the routes that answer them."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._visitors = VisitorReader(
            lambda: node.gatekeeper, node.keys, node.person, node.vault, node.config.features
        )

    def visitor(
        self, request: Request, told: VisitorOnWire, region: str, key_text: str
    ) -> tuple[Visitor, dict[str, str]]:
        """Who is asking, and the headers of an answer to them. Raises Problem 401 for a key that is not ours."""
        key = self.key(request, key_text)
        gpc = gpc_signal(request.headers.getlist("sec-gpc"))
        signal = ConsentSignal(
            told.consent or "", named_purposes(told.purposes), told.consent_version or "", region, gpc
        )
        trusted = key is not None and key.kind == "server"
        claim = Claim(told.anon or "", told.user or "", told.user_sig or "", told.session or "", trusted=trusted)
        visitor, decision = self._visitors.read(claim, signal, self._node.clock.now())
        return visitor, PERSONAL | ({"gpc-honoured": "1"} if decision.gpc_honoured else {})

    def key(self, request: Request, text: str) -> ApiKey | None:
        """The API key of a request, from its Authorization header, else from its body; None where it brings none."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        text = token.strip() if scheme.lower() == "bearer" else text
        if not text:
            return None
        key = self._node.keys.check(text)
        if key is None:
            raise Problem(401, "Unknown API key", "the key of this request is not (or no longer) valid")
        return key
