"""``python -m models``: the same as ``footnote models``."""

from models.commands import models
from models.terminal import run

if __name__ == "__main__":
    run(models, name="python -m models")
