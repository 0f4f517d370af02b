"""What /v1/rules and its versions share: refusals of the book as problems, and the draft a request has read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

from app.merchandising.book import NoSuchRule, NotRules, RuleChanged, RuleTaken, Unreadable
from app.problem import Problem
from app.routes.conditional import changed_since, if_match
from app.routes.numbers import whole

NO_STORE = {"cache-control": "private, no-store"}
WRITES = (400, 401, 403, 413, 415)


@contextmanager
def as_problems() -> Iterator[None]:
    """What the book refuses, as what a client is told."""
    try:
        yield
    except RuleChanged as changed:
        raise changed_since(changed.etag) from None
    except NoSuchRule as missing:
        raise Problem(404, "No such rule or version", str(missing)) from None
    except RuleTaken as taken:
        raise Problem(409, "The id is taken", str(taken)) from None
    except Unreadable as damaged:
        raise Problem(409, "Damaged", str(damaged)) from None
    except NotRules as wrong:
        first = wrong.problems[0]
        raise Problem(400, "Not a valid rule", first.detail, errors=wrong.problems) from None


def revision_of(request: Request) -> int:
    """The draft's revision that the request has read. Raises Problem 428, 412."""
    told = whole(if_match(request).strip('"').removeprefix("d"))
    if told is None:
        raise changed_since("")
    return told
