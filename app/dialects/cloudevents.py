"""CloudEvents 1.0 in the JSON format, single and batched: `type` ends in the event's name, `data` is our event's body.

`data` may hold what a batch of ours says of the visitor (`anon`, `user`, `session`, `consent`, `purposes`, `region` …)
beside `item` and `params`; `subject` stands for `user` where it says none.
"""

from __future__ import annotations

from app.dialects.names import ALIASES
from app.dialects.reading import Json, digest, milliseconds, table, without_gaps, word
from app.dialects.segment import Group

SINGLE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_WHO = (
    "anon", "user", "user_sig", "session", "consent", "consent_version", "purposes", "region", "location", "signals",
)  # fmt: skip


def grouped(events: list[object]) -> tuple[list[Group], dict[int, str]]:
    """Consecutive events of one visitor together, and place -> why for what is no CloudEvent."""
    groups: list[Group] = []
    wrong: dict[int, str] = {}
    for place, told in enumerate(events):
        event = table(told)
        if missing := [name for name in ("id", "source", "type", "specversion") if not word(event.get(name))]:
            wrong[place] = f"a CloudEvent needs {', '.join(missing)}"
            continue
        data = table(event.get("data"))
        envelope = without_gaps({name: data.get(name) for name in _WHO})
        if "user" not in envelope and "anon" not in envelope and (subject := word(event.get("subject"))):
            envelope["user"] = subject
        if not groups or groups[-1].envelope != envelope:
            groups.append(Group(envelope))
        groups[-1].events.append(_event(event, data))
        groups[-1].places.append(place)
    return groups, wrong


def _event(event: Json, data: Json) -> dict[str, object]:
    kind = word(event.get("type"))
    name = kind.rpartition(".")[2]
    identity = word(event.get("id"))
    source = word(event.get("source"))
    return without_gaps({
        # Two sources may use one id: together they are one.
        "id": digest("ce", f"{source}\n{identity}".encode()),
        "name": ALIASES.get(kind) or ALIASES.get(name) or name,
        "ts": milliseconds(event.get("time")),
        "item": word(data.get("item")),
        "params": data.get("params"),
    })  # fmt: skip
