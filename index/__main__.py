"""``python -m index``: the same as ``footnote index``."""

from index.commands import index
from models.terminal import run

if __name__ == "__main__":
    run(index, name="python -m index")
