"""A name, or a path, becomes the verified path of a model on this machine."""

from pathlib import Path

from models import paths
from models.catalog import Entry, Purpose, default, entries, find
from models.errors import ModelError
from models.fetch import pull
from models.progress import OnProgress
from models.verify import find_copy


def local_path(name: str, *, fetch: bool = False, on_progress: OnProgress | None = None) -> Path:
    """Where the catalogue's model ``name`` is: a .gguf file, or an embedder's folder.

    Its digests have been checked, now or at an earlier start since which nothing changed.
    With ``fetch`` a model that is not here, or damaged, is fetched first. Raises ModelError
    when there is no such model, when it is not here or damaged, or cannot be fetched.
    """
    entry = find(name)
    if fetch:
        return pull(entry, on_progress=on_progress)
    copy = find_copy(entry, on_progress=on_progress)
    if copy is None:
        raise ModelError(
            f"The model {name} is not on this machine: run `footnote models pull {name}`."
        )
    if copy.damage is not None:
        raise ModelError(
            f"The model {name} at {copy.path} is damaged ({copy.damage}): "
            f"run `footnote models pull {name}` to replace it."
        )
    return copy.path


def resolve_llm(
    name_or_path: str | None = None,
    *,
    fetch: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """The .gguf file to write answers with.

    ``name_or_path`` is a name of the catalogue, the path of any .gguf file, or the name of one
    in the folder of weights or in ``models/``; None is the default model. Raises ModelError
    when it is none of these, when the file is not a GGUF, and as `local_path` does.
    """
    path = _resolve("llm", name_or_path, fetch=fetch, on_progress=on_progress)
    try:
        with path.open("rb") as stream:
            is_gguf = stream.read(4) == b"GGUF"
    except OSError as failure:
        raise ModelError(f"{path} cannot be read: {failure.strerror}.") from failure
    if not is_gguf:
        raise ModelError(f"{path} is not a GGUF file: name a .gguf file, or a model by its name.")
    return path


def resolve_embedder(
    name_or_path: str | None = None,
    *,
    fetch: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """The folder of the model to find passages with, for sentence-transformers.

    ``name_or_path`` is a name of the catalogue or the path of a folder; None is the default
    model. Raises ModelError when it is neither, when the folder has no ``model.safetensors``
    or ``modules.json``, and as `local_path` does.
    """
    path = _resolve("embedder", name_or_path, fetch=fetch, on_progress=on_progress)
    for needed in ("model.safetensors", "modules.json"):
        if not (path / needed).is_file():
            raise ModelError(f"{path} is not the folder of an embedder: it has no {needed}.")
    return path


def _resolve(
    purpose: Purpose, name_or_path: str | None, *, fetch: bool, on_progress: OnProgress | None
) -> Path:
    if name_or_path is None:
        return local_path(default(purpose).name, fetch=fetch, on_progress=on_progress)
    if any(entry.name == name_or_path for entry in entries()):
        _require(purpose, find(name_or_path))
        return local_path(name_or_path, fetch=fetch, on_progress=on_progress)
    given = Path(name_or_path).expanduser()
    # A name alone may also be that of a file put where the models are.
    folders = [paths.dropped_folder(), paths.weights_folder()] if given.name == str(given) else []
    for path in [given, *(folder / given for folder in folders)]:
        if path.exists():
            return path
    if given.suffix or given.name != str(given):
        raise ModelError(f"There is no model at {given}.")
    find(name_or_path)  # raises, and says which names there are
    raise AssertionError(name_or_path)


def _require(purpose: Purpose, entry: Entry) -> None:
    if entry.purpose != purpose:
        task = {"llm": "writes answers", "embedder": "finds passages"}
        known = ", ".join(other.name for other in entries() if other.purpose == purpose)
        raise ModelError(
            f"{entry.name} {task[entry.purpose]}; what {task[purpose]} is one of {known}."
        )
