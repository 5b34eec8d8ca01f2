"""``python -m rag``: the program ``footnote``."""

from rag.cli import main

if __name__ == "__main__":
    main()
