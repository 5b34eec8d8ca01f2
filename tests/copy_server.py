"""One of several copies of a served chat, in a process of its own: to be killed amid answers.

``python -m tests.copy_server PORT PLACE PAUSE``: where the conversations are, and the seconds that
each word of an answer takes. The index, and those who may log in, are those of FOOTNOTE_HOME, and
so every copy's. The model copies from what it reads; see ``tests.slow_server``.
"""

import asyncio
import sys
from pathlib import Path

from index.library import Library
from index.search import Index
from models.paths import users_file
from rag.chat import Chat
from rag.line import Line
from serve.access import Access
from serve.accounts import Accounts
from serve.app import About, application
from serve.desk import Desk
from serve.server import server
from tests.fakes import WordEmbedder
from tests.slow_server import Copyist
from tests.test_accounts import QUICK
from ui.history import History


def main(port: int, place: str, pause: float) -> None:
    """Serves until SIGTERM."""
    line = Line()
    app = application(
        Desk(
            Chat(search=Index.open(embedder=WordEmbedder()), generate=Copyist(pause=pause)),
            line=line,
        ),
        History(place if "://" in place else Path(place), name="default"),
        Library("default", embedder=WordEmbedder()),
        access=Access(Accounts(users_file(), hasher=QUICK)),
        about=About(index_name="default", model_name="copyist"),
    )
    asyncio.run(server(app, line, host="127.0.0.1", port=port, grace=5).serve())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
