"""Files that are made once: taken whole, or not at all."""

from pathlib import Path

import pytest

from models import kept

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def write_abc(path: Path) -> None:
    path.write_bytes(b"abc")


def test_what_is_kept_is_taken_by_its_name_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    path = kept.keep(folder, "one[1]", write_abc, suffix=".bin")
    assert path.name == f"one[1]-{ABC}.bin"
    assert kept.take(folder, "one[1]", suffix=".bin") == path
    assert kept.take(folder, "one1", suffix=".bin") is None
    assert kept.take(folder, "one[1]", suffix=".txt") is None
    assert list(folder.iterdir()) == [path]


def test_what_was_damaged_is_not_taken_and_goes(tmp_path: Path) -> None:
    path = kept.keep(tmp_path, "one", write_abc, suffix=".bin")
    path.write_bytes(b"abd")
    assert kept.take(tmp_path, "one", suffix=".bin") is None
    assert not path.exists()


def test_of_a_file_that_cannot_be_finished_nothing_is_kept(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"ab")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        kept.keep(tmp_path, "one", fail, suffix=".bin")
    assert list(tmp_path.iterdir()) == []
