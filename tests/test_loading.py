"""How a model is loaded: measured once, remembered, and never in anybody's way."""

import json
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.commands import models as models_command
from models.errors import ModelError
from models.paths import loading_file
from models.progress import Progress
from models.resolve import resolve_llm
from rag.generate import LlamaCpp, _speed_apart
from rag.loading import Speeds, measure_once, remembered


class Machine:
    """Reads at the given speeds, one way after the other."""

    def __init__(self, *, as_stored: list[float], repacked: list[float]) -> None:
        self.speeds = {False: iter(as_stored), True: iter(repacked)}
        self.loaded: list[bool] = []  # whether repacked, of each time

    def __call__(self, path: Path, *, is_repacked: bool) -> float:
        self.loaded.append(is_repacked)
        return next(self.speeds[is_repacked])


def machine(as_stored: float, repacked: float) -> Machine:
    return Machine(as_stored=[as_stored] * 3, repacked=[repacked] * 3)


def quiet(_progress: Progress) -> None:
    pass


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    return file


@pytest.mark.parametrize(
    ("as_stored", "repacked", "is_worth_it"),
    [(117, 75, False), (75, 117, True), (100, 109, False), (100, 111, True), (100, 110, False)],
)
def test_repacked_weights_must_be_read_with_a_tenth_faster(
    path: Path, as_stored: float, repacked: float, is_worth_it: bool
) -> None:
    measure_once(path, machine(as_stored, repacked), on_progress=quiet)
    speeds = remembered(path)
    assert speeds == Speeds(as_stored, repacked)
    assert speeds.is_repacking_worth_it is is_worth_it


def test_both_are_measured_in_turns_and_the_best_of_each_counts(path: Path) -> None:
    busy = Machine(as_stored=[20, 90, 100], repacked=[80, 10, 70])
    told: list[Progress] = []
    measure_once(path, busy, on_progress=told.append)
    assert busy.loaded == [False, True] * 3
    assert remembered(path) == Speeds(100, 80)
    assert [(one.stage, one.done, one.total) for one in told] == [
        ("Measuring how this machine reads fastest", turn, 3) for turn in range(3)
    ]


def test_a_large_model_is_measured_less_often(path: Path) -> None:
    slow = machine(2, 4)
    measure_once(path, slow, on_progress=quiet, clock=count(0, 30).__next__)
    assert slow.loaded == [False, True]
    assert remembered(path) == Speeds(2, 4)


def test_what_is_known_is_not_measured_again(path: Path) -> None:
    measure_once(path, machine(1, 2), on_progress=quiet)
    idle = machine(3, 4)
    measure_once(path, idle, on_progress=quiet)
    assert idle.loaded == []
    assert remembered(path) == Speeds(1, 2)


def test_each_file_is_measured(path: Path) -> None:
    other = path.with_name("other.gguf")
    other.write_bytes(b"GGUF")
    measure_once(path, machine(1, 2), on_progress=quiet)
    assert remembered(other) is None
    measure_once(other, machine(3, 4), on_progress=quiet)
    assert (remembered(path), remembered(other)) == (Speeds(1, 2), Speeds(3, 4))
    path.write_bytes(b"GGUF, longer")
    assert remembered(path) is None
    path.unlink()
    assert remembered(path) is None


@pytest.mark.parametrize("change", ["version", "_processor"])
def test_another_library_or_processor_is_measured(
    path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_once(path, machine(1, 2), on_progress=quiet)
    monkeypatch.setattr(f"rag.loading.{change}", lambda *_: "another")
    assert remembered(path) is None


def damaged() -> list[str]:
    whole = '{"KEY": {"model": "model.gguf", "as_stored": 1.0, "repacked": 2.0}}'
    return [
        *(whole[:end] for end in range(0, len(whole), 9)),
        "[]",
        "null",
        '{"KEY": null}',
        '{"KEY": [1.0, 2.0]}',
        whole.replace("2.0", '"fast"'),
        whole.replace("2.0", "null"),
        whole.replace("repacked", "packed"),
    ]


def test_damage_is_mended_by_measuring(path: Path) -> None:
    measure_once(path, machine(3, 4), on_progress=quiet)
    (key,) = json.loads(loading_file().read_bytes())
    for text in damaged():
        loading_file().write_text(text.replace("KEY", key))
        assert remembered(path) is None
        measure_once(path, machine(3, 4), on_progress=quiet)
        assert remembered(path) == Speeds(3, 4)
    loading_file().write_bytes(b"\xff\xfe\x00")
    assert remembered(path) is None


def test_what_could_not_be_remembered_is_not_waited_for(path: Path, home: Path) -> None:
    home.write_text("a file where the folder should be")
    idle = machine(1, 2)
    measure_once(path, idle, on_progress=quiet)
    assert idle.loaded == []
    assert remembered(path) is None


def test_a_model_that_cannot_be_loaded_is_left_to_who_uses_it(path: Path) -> None:
    def fail(path: Path, *, is_repacked: bool) -> float:
        raise ModelError(f"{path} cannot be loaded")

    measure_once(path, fail, on_progress=quiet)
    assert remembered(path) is None


def test_weights_that_this_machine_cannot_read_repacked_are_left_as_stored(path: Path) -> None:
    def refuse(path: Path, *, is_repacked: bool) -> float:
        if is_repacked:
            raise ModelError("the system has ended it")
        return 5.0

    measure_once(path, refuse, on_progress=quiet)
    found = remembered(path)
    assert found == Speeds(as_stored=5.0, repacked=0.0)
    assert not found.can_repack
    assert not found.is_repacking_worth_it


def test_a_process_that_the_system_ends_is_not_this_one(path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read as-stored on this machine"):
        _speed_apart(path, is_repacked=False)  # no model at all


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_only_models_that_write_are_prepared_when_they_are_pulled() -> None:
    prepared: list[Path] = []
    done = CliRunner().invoke(
        models_command,
        ["pull", "all-minilm-l6-v2", "smollm2-135m"],
        obj=lambda path, _on_progress: prepared.append(path),
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert [path.name for path in prepared] == ["SmolLM2-135M-Instruct.Q4_1.gguf"]


def pull() -> str:
    """What ``footnote models pull`` says of what it does, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "rag", "models", "pull", "smollm2-135m"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    return done.stderr


@pytest.mark.real
@pytest.mark.usefixtures("home_with_models")
def test_a_real_model_is_loaded_as_was_measured_in_another_process() -> None:
    path = resolve_llm("smollm2-135m")

    def is_repacked() -> bool:
        model = LlamaCpp(path, context_tokens=64)
        return bool(model._llama.model_params.use_extra_bufts)

    assert not is_repacked()  # before anything is known
    assert "Measuring how this machine reads fastest…" in pull()
    found = loading_file().read_bytes()
    assert "Measuring" not in pull()
    assert loading_file().read_bytes() == found

    (measured,) = json.loads(found).values()
    assert measured["as_stored"] != measured["repacked"]
    speed = measured["repacked" if is_repacked() else "as_stored"]
    assert speed >= max(measured["as_stored"], measured["repacked"]) / 1.1

    for as_stored, repacked in ((1, 2), (2, 1)):
        loading_file().unlink()
        measure_once(path, machine(as_stored, repacked), on_progress=quiet)
        assert is_repacked() == (repacked > as_stored)
