"""Who looks at the page, or asks from elsewhere."""

from dataclasses import dataclass
from typing import Any

SCOPE_KEY = "footnote.user"
"""Where, in a request's scope, whoever let it in says whose it is."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who was let in."""

    name: str = ""  # empty where nobody logs in
    may_manage: bool = True  # add documents, leave them out, build the index


NOBODY = User()
"""Whoever is at this machine, where nobody logs in."""


def user_of(connection: Any) -> User:
    """Whose request it is: Starlette's, or Gradio's, which holds one of Starlette's."""
    request = getattr(connection, "request", connection)
    user = getattr(request, "scope", {}).get(SCOPE_KEY, NOBODY)
    assert isinstance(user, User)
    return user
