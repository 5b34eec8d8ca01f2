"""What is missing before the first question, and how getting it is followed."""

from pathlib import Path

import pytest

from index.build import build
from index.records import BuildReport
from models.errors import ModelError
from models.progress import OnProgress, Progress
from tests.fakes import WordEmbedder
from ui.documents import following
from ui.setup import missing


def test_all_is_missing_at_first(tmp_path: Path) -> None:
    embedder, llm, index = missing("default", None)
    assert embedder == "the model all-minilm-l6-v2: 91.6 MB to download"
    assert llm.startswith("the model qwen2.5-coder-1.5b: 1.1 GB")
    assert index.startswith("the index of the documents in ")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("Two planes landed.")
    build(tmp_path / "texts", embedder=WordEmbedder())
    assert len(missing("default", None)) == 2
    assert len(missing("other", "qwen2.5-coder-0.5b")) == 3


@pytest.mark.parametrize("model", ["no-such-model", "folder/none.gguf"])
def test_what_cannot_be_fetched_is_an_error(model: str) -> None:
    with pytest.raises(ModelError, match=model):
        missing("default", model)


def test_a_build_is_followed_to_its_report(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Two planes landed.")

    def work(on_progress: OnProgress) -> BuildReport:
        on_progress(Progress("Fetching <b>", 1_000_000, 2_000_000, "bytes"))
        return build(tmp_path, embedder=WordEmbedder())

    steps = following(work)
    assert "Comparing files" in next(steps)
    drawn = list(steps)
    assert "added 1:\n    a.txt" in drawn[-1]
    assert all("<b>" not in step for step in drawn)


def test_a_build_that_fails_says_why_in_one_sentence() -> None:
    def work(_on_progress: OnProgress) -> BuildReport:
        raise ModelError("The network is down: try again.")

    assert list(following(work))[-1] == (
        '<p class="problem" role="alert">The network is down: try again.</p>'
    )

    def broken(_on_progress: OnProgress) -> BuildReport:
        raise ZeroDivisionError("secret detail")

    assert "secret" not in "".join(following(broken))
