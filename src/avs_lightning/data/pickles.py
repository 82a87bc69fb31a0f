"""The official log-mel pickles, read without executing anything.

A pickle is a program: it may name any function and call it. The official files need a handful of names to say "a
tensor"; each is answered here with a function of this file, every other name is refused, and so is every opcode that
could change an object in another way than by calling those.
"""

import collections
import io
import math
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from avs_lightning.errors import UserError

_REFUSED_OPCODES = {"BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "PERSID"}
_MOST_MEMOS = 10_000
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # opens a file of torch.save before the zip format, and a pickled storage today
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
}


class _Refused(Exception):
    """The pickle asks for more than a tensor."""


def load_log_mel_pickle(path: str | Path) -> Tensor:
    """Read the one tensor in a pickle file, as `pickle.dump(tensor, file)` wrote it; nothing in the file is executed.

    Returns:
        The tensor ([5, 1, 96, 64] in AVSBench), detached, on the CPU.

    Raises:
        UserError: the file is missing, truncated or corrupt, or holds anything but one floating-point tensor.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"log-mel pickle missing: {path}")
    cure = "copy it again from the data set, or put the wav in its place and set data.audio=wav"
    data = path.read_bytes()
    if _is_torch_file(data):
        raise UserError(
            f"{path} was written by torch.save, and the data set's files by pickle.dump: write it again by "
            f"`pickle.dump(torch.load(FILE, weights_only=True), open(NEW, 'wb'))`, or {cure}"
        )
    try:
        tensor = _TensorUnpickler(data).load()
    except _Refused as error:
        raise UserError(f"{path} was refused, nothing in it was executed: {error}; {cure}") from error
    # Damaged bytes can raise almost anything inside the unpickler (EOFError, KeyError, struct.error, ...).
    except Exception as error:
        raise UserError(f"{path} is truncated or corrupt ({type(error).__name__}: {error}); {cure}") from error
    if not isinstance(tensor, Tensor):
        raise UserError(f"{path} holds a {type(tensor).__name__}, expected a tensor [5, 1, 96, 64]; {cure}")
    return tensor


class _Unpickler(pickle.Unpickler):
    """Unpickles with the given names only."""

    def __init__(self, stream: io.BytesIO, names: dict[str, Any]) -> None:
        start = stream.tell()
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in _REFUSED_OPCODES:
                raise _Refused(f"it uses the opcode {opcode.name}, which no tensor needs")
            if opcode.name in ("PUT", "LONG_BINPUT") and (argument or 0) > _MOST_MEMOS:
                raise _Refused(f"it numbers an object {argument:,}, which would fill the memory")
        stream.seek(start)
        super().__init__(stream)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._names:
            raise _Refused(f"it asks for {module}.{name}, which no tensor needs")
        return self._names[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> NoReturn:
        raise _Refused("it points to objects outside the file")


class _TensorUnpickler(_Unpickler):
    """The outer pickle: one call that rebuilds a tensor from a storage."""

    def __init__(self, data: bytes) -> None:
        names: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": _rebuild_tensor,
            "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
            "torch.storage._load_from_bytes": lambda data: _StorageReader(data).read(),
            "collections.OrderedDict": collections.OrderedDict,
            "_codecs.encode": _encode,
        }
        super().__init__(io.BytesIO(data), names)


class _StorageReader:
    """The bytes inside: a storage in torch's pre-zip format, five pickles and then the values."""

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise _Refused("its storage is not a string of bytes")
        self._stream = io.BytesIO(data)

    def read(self) -> Tensor:
        if self._next() != _LEGACY_MAGIC:
            raise _Refused("its storage is not in the format that torch writes into a pickle")
        self._next()  # protocol version
        if not self._next()["little_endian"]:
            raise _Refused("its values are big-endian")
        dtype, key = self._next()
        if self._next() != [key]:
            raise _Refused("it holds several storages")
        self._stream.read(8)  # how many values follow
        return torch.frombuffer(bytearray(self._stream.read()), dtype=dtype)

    def _next(self) -> Any:
        return _LegacyPickle(self._stream).load()


class _LegacyPickle(_Unpickler):
    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, {f"torch.{name}": dtype for name, dtype in _STORAGES.items()})

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _device, _count, view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or view is not None:
            raise _Refused("its storage is not a plain one")
        return dtype, key


def _is_torch_file(data: bytes) -> bool:
    """Whether `torch.save` wrote it: as a zip archive, or before 1.6 with a magic number as its first pickle."""
    if data.startswith(b"PK"):
        return True
    try:
        return bool(_LegacyPickle(io.BytesIO(data)).load() == _LEGACY_MAGIC)
    except Exception:  # of any kind where the bytes are no such pickle
        return False


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if math.prod(size) > storage.numel():
        raise ValueError(f"a tensor of shape {tuple(size)} from {storage.numel():,} values")
    return storage.as_strided(size, stride, offset).clone()


def _encode(text: str, encoding: str) -> bytes:
    """How pickle protocol 2 writes bytes."""
    if encoding != "latin1":
        raise _Refused(f"it encodes text as {encoding}")
    return text.encode("latin1")
