import collections
import contextlib
import copyreg
import io
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avs_lightning.data import load_log_mel_pickle
from avs_lightning.errors import UserError


def patches() -> torch.Tensor:
    return torch.randn(5, 1, 96, 64, generator=torch.Generator().manual_seed(0))


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def storage(tensor: torch.Tensor) -> torch.storage.TypedStorage:
    return torch.storage.TypedStorage(wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_official_files(tmp_path: Path, protocol: int, requires_grad: bool) -> None:
    tensor = patches().requires_grad_(requires_grad)
    loaded = load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(tensor, protocol)))
    torch.testing.assert_close(loaded, tensor.detach(), rtol=0, atol=0)
    assert not loaded.requires_grad
    assert loaded.is_contiguous()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.nn.Parameter(torch.arange(6.0)),
        torch.arange(24.0).view(2, 3, 4).transpose(0, 2),
        torch.arange(24.0)[5:17:3],
        torch.arange(4.0, dtype=torch.float64),
        torch.arange(4.0, dtype=torch.float16),
        torch.arange(4.0, dtype=torch.bfloat16),
    ],
    ids=["parameter", "transposed", "strided", "double", "half", "bfloat16"],
)
def test_other_tensors(tmp_path: Path, tensor: torch.Tensor) -> None:
    loaded = load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(tensor)))
    torch.testing.assert_close(loaded, tensor.detach(), rtol=0, atol=0)


def test_tensor_in_the_form_of_old_torch(tmp_path: Path) -> None:
    tensor = patches()

    class Old:
        def __reduce__(self) -> tuple[Any, ...]:
            return torch._utils._rebuild_tensor, (storage(tensor), 0, tuple(tensor.shape), tensor.stride())

    torch.testing.assert_close(load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(Old()))), tensor)


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def legacy(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def hostile_pickles(marker: Path) -> dict[str, bytes]:
    shell = f"echo executed > {marker}"
    code = f"open({str(marker)!r}, 'w').close()"
    system, evaluate = Call(os.system, shell), Call(eval, code)
    load = torch.storage._load_from_bytes
    text = shell.encode()
    tensor = pickle.dumps(patches(), 2)
    build = tensor[:-1] + pickle.dumps({"__setstate__": 1}, 2)[2:-1] + b"b."
    return {
        "os.system": pickle.dumps(system),
        "eval": pickle.dumps(evaluate),
        "exec": pickle.dumps(Call(exec, code)),
        "protocol 0": pickle.dumps(system, 0),
        "in a tensor's hooks": pickle.dumps(
            Call(torch._utils._rebuild_tensor_v2, storage(torch.zeros(1)), 0, (1,), (1,), False, {"x": system})
        ),
        "getattr": pickle.dumps(Call(getattr, torch.Tensor, "numpy")),
        "inside a storage, old format": pickle.dumps(Call(load, legacy(system))),
        "inside a storage, plain": pickle.dumps(Call(load, pickle.dumps(evaluate))),
        "storage in a storage": pickle.dumps(Call(load, pickle.dumps(Call(load, legacy(system))))),
        "after a valid magic number": pickle.dumps(Call(load, MAGIC + pickle.dumps(system))),
        "torch.load": pickle.dumps(Call(torch.load, io.BytesIO(legacy(system)))),
        "dotted name": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.",
        "dunder of an allowed name": b"\x80\x04\x8c\x0ctorch._utils\x8c\x1e_rebuild_tensor_v2.__globals__\x93.",
        "INST": b"(S'" + text + b"'\nios\nsystem\n.",
        "GLOBAL and REDUCE": b"cos\nsystem\n(S'" + text + b"'\ntR.",
        "OBJ": b"(cos\nsystem\nS'" + text + b"'\no.",
        "NEWOBJ": b"\x80\x02ccollections\nOrderedDict\n)\x81.",
        "BUILD on a tensor": build,
        "persistent id": b"\x80\x02X\x01\x00\x00\x00aQ.",
        "persistent id as text": b"Pstorage\n.",
        "BUILD inside a storage": pickle.dumps(Call(load, MAGIC + b"\x80\x02}}b.")),
    }


@pytest.mark.parametrize("name", sorted(hostile_pickles(Path("marker"))))
def test_hostile_pickles_are_refused_unexecuted(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "executed"
    path = save(tmp_path / "hostile.pkl", hostile_pickles(marker)[name])
    with pytest.raises(UserError, match="refused") as error:
        load_log_mel_pickle(path)
    assert str(path) in str(error.value)
    assert not marker.exists()


def test_storage_in_the_zip_format_is_not_read(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    stream = io.BytesIO()
    torch.save(Call(os.system, f"echo executed > {marker}"), stream)
    path = save(tmp_path / "a.pkl", pickle.dumps(Call(torch.storage._load_from_bytes, stream.getvalue())))
    with pytest.raises(UserError, match=r"a\.pkl"):
        load_log_mel_pickle(path)
    assert not marker.exists()


def test_memo_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="fill the memory"):
        load_log_mel_pickle(save(tmp_path / "a.pkl", b"\x80\x02Nr\xff\xff\xff\x7f."))


def test_the_hostile_pickles_do_work_elsewhere(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    working = 0
    for data in hostile_pickles(marker).values():
        marker.unlink(missing_ok=True)
        with contextlib.suppress(Exception):  # most fail after they have executed
            pickle.loads(data)
        working += marker.exists()
    assert working >= 10


def test_extension_registry_is_out_of_reach(tmp_path: Path) -> None:
    copyreg.add_extension("os", "getcwd", 200)
    try:
        pickle.loads(data := b"\x80\x02\x82\xc8)R.")  # fills the registry's cache
        with pytest.raises(UserError, match="refused"):
            load_log_mel_pickle(save(tmp_path / "a.pkl", data))
    finally:
        copyreg.remove_extension("os", "getcwd", 200)


@pytest.mark.parametrize(
    "value, found",
    [
        ({"a": 1}, "dict"),
        ([1.0, 2.0], "list"),
        (None, "NoneType"),
        (collections.OrderedDict(), "OrderedDict"),
    ],
)
def test_values_that_are_no_tensor(tmp_path: Path, value: Any, found: str) -> None:
    with pytest.raises(UserError, match=f"holds a {found}, expected a tensor"):
        load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(value)))


def test_numpy_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="numpy"):
        load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(np.zeros(3))))


def test_tensor_larger_than_its_storage(tmp_path: Path) -> None:
    for size, stride, offset in (((10**6,), (0,), 0), ((4,), (1,), 1), ((2,), (3,), 1), ((-1,), (1,), 0)):
        call = Call(torch._utils._rebuild_tensor_v2, storage(torch.zeros(4)), offset, size, stride, False, {})
        with pytest.raises(UserError, match="corrupt"):
            load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(call)))


def test_storage_that_is_cut_short_inside_a_whole_pickle(tmp_path: Path) -> None:
    call = Call(torch._utils._rebuild_tensor_v2, Call(torch.storage._load_from_bytes, b"?"), 0, (4,), (1,), False, {})
    whole = legacy(storage(torch.arange(4.0)))
    for cut in (1, 4, 16, 20, 60):
        call.call[1][0].call = (torch.storage._load_from_bytes, (whole[:-cut],))
        with pytest.raises(UserError, match="corrupt"):
            load_log_mel_pickle(save(tmp_path / "a.pkl", pickle.dumps(call)))


def test_truncated_files(tmp_path: Path) -> None:
    data = pickle.dumps(torch.arange(40.0))
    for length in range(len(data)):
        path = save(tmp_path / "a.pkl", data[:length])
        with pytest.raises(UserError, match=r"a\.pkl"):
            load_log_mel_pickle(path)


def test_damaged_files_give_a_tensor_or_a_clear_error(tmp_path: Path) -> None:
    data, draw = pickle.dumps(torch.arange(40.0)), random.Random(0)
    errors = 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(data))] = draw.randrange(256)
        try:
            assert isinstance(load_log_mel_pickle(save(tmp_path / "a.pkl", bytes(damaged))), torch.Tensor)
        except UserError:
            errors += 1
    assert errors > 50


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before zip"])
def test_a_file_of_torch_save_is_named_as_one_with_the_cure(tmp_path: Path, new: bool) -> None:
    torch.save(torch.zeros(5, 1, 96, 64), tmp_path / "a.pkl", _use_new_zipfile_serialization=new)
    with pytest.raises(UserError, match=r"a\.pkl was written by torch\.save.*pickle\.dump\(torch\.load"):
        load_log_mel_pickle(tmp_path / "a.pkl")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="log-mel pickle missing"):
        load_log_mel_pickle(tmp_path / "a.pkl")
