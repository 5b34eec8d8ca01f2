"""``python -m ui``: the same as ``footnote chat``."""

from models.terminal import run
from ui.commands import chat

if __name__ == "__main__":
    run(chat, name="python -m ui")
