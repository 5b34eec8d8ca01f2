"""How fast a model reads a prompt, told by a process of its own.

    python -m rag.loading_probe MODEL as-stored|repacked

Some machines promise instructions that they then refuse, and whoever uses one is ended by the
system. That must be this process, not the chat.
"""

import sys
from pathlib import Path

from rag.llama import reading_speed

if __name__ == "__main__":
    print(reading_speed(Path(sys.argv[1]), is_repacked=sys.argv[2] == "repacked"))
