import hashlib
import http.server
import pickle
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import safetensors.torch
import torch

from avs_lightning.errors import UserError
from avs_lightning.models.weights import fetch, load_state_dict

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `dies.bin` ends in the middle of the body."""

    def do_GET(self):
        if self.path != "/dies.bin":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:1000])
        return self.connection.close()

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "weights.bin").write_bytes(CONTENT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_address[1]}"
        http_server.shutdown()


@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8]])
def test_fetches_once(server, tmp_path, sha256):
    path = tmp_path / "cache" / "weights.bin"
    assert fetch(f"{server}/weights.bin", path, sha256) == path
    assert path.read_bytes() == CONTENT
    assert fetch("http://127.0.0.1:9/gone", path, sha256) == path
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "file, sha256, reason",
    [
        ("gone.bin", SHA256, "404"),
        ("dies.bin", SHA256, "1000 of 1280000 bytes"),
        ("weights.bin", "0" * 64, f"its sha256 is {SHA256}, not 0000"),
    ],
)
def test_what_goes_wrong_leaves_nothing_and_says_what_to_do(server, tmp_path, file, sha256, reason):
    path = tmp_path / "weights.bin"
    with pytest.raises(UserError) as error:
        fetch(f"{server}/{file}", path, sha256)
    for part in (f"{server}/{file}", reason, f"put it at {path}", "weights=FILE", "weights=none"):
        assert part in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens(tmp_path):
    with pytest.raises(UserError, match=r"cannot be downloaded.*refused.*weights=none"):
        fetch("http://127.0.0.1:9/weights.bin", tmp_path / "weights.bin", SHA256)
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_its_place_is_kept_and_named(server, tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"something else")
    with pytest.raises(UserError, match=rf"{path} is not the file expected.*delete it"):
        fetch(f"{server}/weights.bin", path, SHA256)
    assert path.read_bytes() == b"something else"


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_loads_wrapped_and_prefixed_entries(tmp_path, wrapper):
    entries = {"module.a.weight": torch.ones(2), "b": torch.zeros(1)}
    torch.save({wrapper: entries, "epoch": 3} if wrapper else entries, tmp_path / "w.pth")
    loaded = load_state_dict(tmp_path / "w.pth")
    assert list(loaded) == ["a.weight", "b"]
    assert torch.equal(loaded["a.weight"], torch.ones(2))


def test_loads_safetensors(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "w.safetensors")
    assert torch.equal(load_state_dict(tmp_path / "w.safetensors")["a"], torch.ones(2))


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_hostile_file_executes_nothing(tmp_path):
    torch.save({"a": Hostile(tmp_path / "executed")}, tmp_path / "hostile.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Hostile(tmp_path / "executed")))
    for name in ("hostile.pth", "plain.pth"):
        with pytest.raises(UserError, match=name):
            load_state_dict(tmp_path / name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors", "empty.pt"])
def test_damaged_files_are_named(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({"a": torch.ones(100)}, path)
    else:
        torch.save({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[: 100 if "cut" in name else 0])
    with pytest.raises(UserError, match=rf"{name} cannot be read as weights"):
        load_state_dict(path)


def test_other_content_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"list\.pth holds a list"):
        load_state_dict(tmp_path / "list.pth")
