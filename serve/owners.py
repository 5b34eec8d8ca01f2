"""Whose Gradio session it is. Gradio takes whoever names a session for the one who began it."""

import json
import re
from collections import OrderedDict
from collections.abc import Collection
from urllib.parse import parse_qsl

from starlette.types import Scope

from serve.refusal import Refusal

_NAMES = ("session_hash", "upload_id")

_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)")

_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
"""What the page and gradio_client call a session. Each is remembered, so none may be long."""


class Owners:
    """Each session belongs to whoever named it first. Memory is bounded.

    Where there are too many, one of whoever has most is forgotten, so nobody can have another's
    session forgotten by beginning many.
    """

    def __init__(self, *, most: int = 10_000) -> None:
        """``most`` sessions are remembered."""
        self._most = most
        self._owner: dict[str, str] = {}
        self._of: dict[str, OrderedDict[str, None]] = {}  # by user, the last used last

    def are_new(self, sessions: Collection[str]) -> bool:
        """Whether one of them is nobody's yet."""
        return any(session not in self._owner for session in sessions)

    def claim(self, sessions: Collection[str], user: str) -> bool:
        """Whether all of them belong to ``user``, who may be the first to name them."""
        if any(self._owner.get(session, user) != user for session in sessions):
            return False
        for session in sessions:
            self._owner[session] = user
            mine = self._of.setdefault(user, OrderedDict())
            mine[session] = None
            mine.move_to_end(session)
        while len(self._owner) > self._most:
            richest = max(self._of, key=lambda name: len(self._of[name]))
            gone, _ = self._of[richest].popitem(last=False)
            del self._owner[gone]
        return True


def sessions_in(scope: Scope, body: bytes | None) -> set[str]:
    """The sessions and uploads that a request names: in path, query or JSON body.

    ``body`` is None if it is none of JSON. Raises Refusal if it is no JSON object, or names
    something twice, for then it is not certain what Gradio takes of it; or if a name is none.
    """
    found: list[object] = []
    try:
        if match := _HEARTBEAT.fullmatch(scope["path"]):
            found.append(match[1])
        query = parse_qsl(
            scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100
        )
        found += [value for name, value in query if name in _NAMES]
        if body is not None:
            record = json.loads(body, object_pairs_hook=_without_twins)
            # Neither infinity nor half a character, which Gradio fails to tell what is wrong with.
            json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
            found.append(record.get("session_hash"))
        return {_checked(name) for name in found if name is not None}
    except (ValueError, AttributeError, RecursionError) as error:
        raise Refusal(400, "request", "This is not what the page sends.") from error


def _checked(name: object) -> str:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError("this names no session")
    return name


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a name is there twice")
    return record
