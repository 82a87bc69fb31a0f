"""The wheel, outside of the checkout: code, configurations and studies are all in it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGED = (".py", ".yaml", ".typed", ".j2", ".css", ".js")


def run(*command: str, cwd: Path, **environment: str) -> str:
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    ended = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the files that git knows, built from a copy."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the package is not known")
    folder = tmp_path_factory.mktemp("wheel")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # or it has just been deleted
            (folder / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "copy" / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    run(*build, cwd=folder / "copy")
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "ls-files", "src/avs_lightning", "conf", "experiments", cwd=ROOT).split()
    for name in tracked:
        data = name.startswith("src/") and Path(name).suffix == ".csv"  # results in experiments/ stay out
        if not (ROOT / name).is_file() or not (data or Path(name).suffix in PACKAGED):
            continue
        packaged = name.removeprefix("src/") if name.startswith("src/") else f"avs_lightning/{name}"
        assert packaged in names
    assert not [name for name in names if name.startswith("tests")]


def test_the_command_works_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    target, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel)]
    run(sys.executable, "-m", "pip", *install, cwd=tmp_path)
    elsewhere.mkdir()

    def python(*arguments: str) -> str:
        return run(sys.executable, *arguments, cwd=elsewhere, PYTHONPATH=str(target))

    files = "import avs_lightning, avs_lightning.conf as c, avs_lightning.experiments as e; "
    found = python("-c", files + "print(avs_lightning.__file__, c.__file__, e.__file__, sep='\\n')").split("\n")
    assert all(Path(file).is_relative_to(target) for file in found[:3])
    assert python("-m", "avs_lightning.cli", "--version").startswith("avs-lightning ")
    assert python(str(target / "bin" / "avs"), "--version").startswith("avs-lightning ")
    assert "run_name" in python("-m", "avs_lightning.cli", "train", "--cfg", "job")
    demo = python("-m", "avs_lightning.cli", "train", "experiment=small", "--cfg", "job")
    assert "_target_: avs_lightning.data.MS3DataModule" in demo
    assert "image_size: 64" in demo
    assert not list(elsewhere.iterdir())
