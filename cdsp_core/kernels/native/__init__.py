"""Compiles and loads the C functions of this folder; only the modules of `kernels/` call them.

torch runs each of them as dozens of small operations and as many Python calls; at these sizes that overhead is
larger than the work. All C files become one library, compiled once, in about a second, with the machine's own C
compiler and kept in a cache folder; without a compiler torch's operations run, and the run says so.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.c")))
HEADERS = tuple(sorted(Path(__file__).parent.glob("*.h")))
FLAGS = (
    *("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC"),
    *(("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()),
)


class NativeBuildError(RuntimeError):
    """The C kernel cannot be had on this machine; the message says why in one sentence."""


@functools.cache
def load_library() -> ctypes.CDLL:
    """The compiled functions. Raises NativeBuildError when this machine cannot have it."""
    if os.environ.get("CDSP_NATIVE", "1") == "0":
        raise NativeBuildError("The C kernel is switched off by CDSP_NATIVE=0.")
    try:
        library = ctypes.CDLL(str(_built()))
        torch_cpu = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    except OSError as error:
        raise NativeBuildError(f"The C kernel could not be loaded: {error}.") from error
    try:
        library.cdsp_use_sgemm(ctypes.cast(torch_cpu.sgemm_, ctypes.c_void_p))
    except AttributeError:
        raise NativeBuildError("The C kernel needs a torch that carries sgemm. Found one that does not.") from None
    return library


@functools.cache
def bound(name: str, signature: str) -> Callable[..., None]:
    """A function of the library that takes Python numbers: `p` a pointer (data_ptr), `l` int64, `i` int, `f` float.

    A call raises MemoryError when the C function could not get the memory it works in; it has written nothing then.
    """
    kinds = {"p": ctypes.c_void_p, "l": ctypes.c_int64, "i": ctypes.c_int, "f": ctypes.c_float}
    function = getattr(load_library(), name)
    function.argtypes = [kinds[kind] for kind in signature]
    function.restype = ctypes.c_int

    def call(*arguments: float | None) -> None:
        if function(*arguments) != 0:
            raise MemoryError(f"The C kernel {name} needs more memory than this machine can give.")

    return call


def pointers(*tensors: torch.Tensor) -> list[int]:
    """Addresses of contiguous tensors, as `bound` functions take them."""
    return [tensor.data_ptr() for tensor in tensors]


def why_unavailable() -> str | None:
    """Reason, for people, why the kernels cannot be used; None when they can."""
    try:
        load_library()
    except NativeBuildError as error:
        return str(error)
    return None


def _built() -> Path:
    compiler = _compiler()
    texts = [source.read_bytes() for source in (*SOURCES, *HEADERS)]
    key = hashlib.sha256(b"\0".join([*texts, *map(str.encode, (*compiler, *FLAGS)), _cpu()]))
    library = _cache_folder() / f"native-{key.hexdigest()[:20]}.so"
    if not library.exists():
        _compile(compiler, library)
    return library


def _compiler() -> list[str]:
    """The command that compiles C: what CC says, or the first compiler found."""
    named = shlex.split(os.environ.get("CC", ""))
    if named and shutil.which(named[0]) is None:
        raise NativeBuildError(f"CC must name a C compiler. Found {named[0]}, which is not there.")
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if not named and found is None:
        raise NativeBuildError("The C kernel needs a C compiler (Debian: apt install gcc libc6-dev). Found none.")
    return named or [str(found)]


def _compile(compiler: list[str], library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            built = Path(folder) / library.name
            subprocess.run(
                [*compiler, *FLAGS, "-o", str(built), *map(str, SOURCES)],
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
            built.replace(library)
    except OSError as error:
        raise NativeBuildError(f"The C kernel could not be kept in {library.parent}: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise NativeBuildError(f"The C kernel was not compiled within {error.timeout:g} s by {compiler[0]}.") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise NativeBuildError(f"The C kernel did not compile with {compiler[0]}: {last}") from error


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "topology-lab"


def _cpu() -> bytes:
    """Machine and instruction sets, which -march=native depends on."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = ""
    if cpuinfo.exists():
        flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {flags}".encode()
