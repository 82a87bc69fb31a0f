from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DistributedSampler

from avs_lightning.data import ClipBatch, MS3DataModule, S4DataModule
from avs_lightning.errors import UserError

Write = Callable[..., Path]
SIZE = 8


def data(root: Path, **options: object) -> S4DataModule:
    return S4DataModule(root, **{"image_size": SIZE, "workers": 0, "batch_size": 2, **options})  # type: ignore[arg-type]


def epoch(loader: torch.utils.data.DataLoader[ClipBatch], number: int) -> list[int]:
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return [index for batch in loader for index in batch.indices.tolist()]


@pytest.fixture
def root(tmp_path: Path, official_s4: Write) -> Path:
    return official_s4(tmp_path, train=7, val=3, test=2, size=SIZE)


def test_batches_of_each_split(root: Path) -> None:
    module = data(root, eval_batch_size=3)
    module.setup()
    (val,) = module.val_dataloader()
    assert val.images.shape == (3, 5, 3, SIZE, SIZE)
    assert val.indices.tolist() == [0, 1, 2]
    assert [len(batch) for batch in module.train_dataloader()] == [2, 2, 2, 1]
    assert [batch.ids for batch in module.test_dataloader()] == [["test000000_0", "test000001_1"]]


def test_order_depends_on_seed_and_epoch_alone(root: Path) -> None:
    orders = [epoch(data(root).train_dataloader(), number) for number in range(4)]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len(set(map(tuple, orders))) == 4
    torch.manual_seed(7)
    again = data(root).train_dataloader()
    assert [epoch(again, number) for number in (2, 0, 3)] == [orders[2], orders[0], orders[3]]
    assert epoch(data(root, seed=5).train_dataloader(), 0) != orders[0]


@pytest.mark.parametrize("workers, persistent", [(1, False), (2, True)])
def test_order_does_not_depend_on_workers(root: Path, workers: int, persistent: bool) -> None:
    loader = data(root, workers=workers, persistent_workers=persistent).train_dataloader()
    alone = data(root).train_dataloader()
    orders = [epoch(loader, number) for number in range(3)]
    assert orders == [epoch(alone, number) for number in range(3)]
    assert orders[0] != orders[1]


def test_loading_leaves_the_random_stream_of_the_model_alone(root: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(data(root).train_dataloader())
    torch.testing.assert_close(torch.rand(3), expected)


class Recorder(pl.LightningModule):
    """Learns nothing and remembers what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list[list[int]] = []

    def on_train_epoch_start(self) -> None:
        self.seen.append([])

    def training_step(self, batch: ClipBatch, _: int) -> torch.Tensor:
        self.seen[-1] += batch.indices.tolist()
        return self.layer(batch.images.mean().view(1)).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(root: Path, folder: Path, epochs: int, workers: int, resume: Path | None = None) -> list[list[int]]:
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(recorder := Recorder(), datamodule=data(root, workers=workers), ckpt_path=resume)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return recorder.seen


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("workers", [0, 1])
def test_resumed_run_sees_what_an_uninterrupted_one_sees(root: Path, tmp_path: Path, workers: int) -> None:
    whole = fit(root, tmp_path, 4, workers=0)
    first = fit(root, tmp_path, 2, workers)
    assert first == whole[:2]
    assert fit(root, tmp_path, 4, workers, resume=tmp_path / "2.ckpt") == whole[2:]
    assert len(set(map(tuple, whole))) == 4


@pytest.mark.parametrize("world", [2, 3])
def test_processes_share_the_clips_evenly(root: Path, world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: world)
    shares: dict[str, list[list[int]]] = {"train": [], "val": []}
    for rank in range(world):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        module = data(root)
        shares["train"].append(epoch(module.train_dataloader(), 1))
        shares["val"].append([index for batch in module.val_dataloader() for index in batch.indices.tolist()])
    for split, clips in (("train", 7), ("val", 3)):
        assert {index for share in shares[split] for index in share} == set(range(clips))
        assert {len(share) for share in shares[split]} == {-(-clips // world)}


def test_lightning_does_not_replace_the_samplers(root: Path) -> None:
    module = data(root)
    for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
        assert isinstance(loader.sampler, DistributedSampler)  # what Lightning asks before it puts in its own


def test_by_source_reaches_the_data_set(tmp_path: Path, official_ms3: Write) -> None:
    root = official_ms3(tmp_path, train=16, val=8, test=8, size=SIZE)

    def ids(**options: object) -> list[str]:
        module = MS3DataModule(root, image_size=SIZE, workers=0, partition="by_source", **options)  # type: ignore[arg-type]
        return [clip.id for clip in module.dataset("test").clips]

    assert ids() == ids(seed=5)
    assert ids() != ids(partition_seed=5)


def test_a_data_module_says_what_its_clips_are(root: Path) -> None:
    module = data(root)
    assert (module.name, module.image_size, module.frames) == ("s4", SIZE, 5)
    assert module.classes == ("background", "sounding")
    assert not module.synthetic
    assert S4DataModule(root, synthetic={"clips": {}}).synthetic
    assert S4DataModule(**module.hparams).hparams == module.hparams  # as `avs eval` builds it from a checkpoint
    assert "synthetic" not in module.hparams


def test_limit_and_stage(root: Path) -> None:
    module = data(root, limit=2)
    module.setup("fit")
    assert len(module.dataset("train")) == len(module.dataset("val")) == 2


def test_hyper_parameters_are_plain_values(root: Path) -> None:
    assert all(isinstance(value, str | int | bool | None) for value in data(root).hparams.values())


@pytest.mark.parametrize(
    "options, message",
    [
        ({"name": "ms3"}, r"data\.name=ms3: .*data=ms3"),
        ({"batch_size": 0}, r"data\.batch_size=0: must be at least 1"),
        ({"limit": 0}, r"data\.limit=0"),
        ({"workers": -1}, r"data\.workers=-1: must be at least 0"),
        ({"eval_batch_size": -1}, r"data\.eval_batch_size=-1"),
    ],
)
def test_bad_options(root: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        S4DataModule(root, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_file_gives_the_same_message_from_a_worker(root: Path, workers: int) -> None:
    path = next(root.rglob("visual_frames/val/*/*/*_3.png"))
    path.write_bytes(b"no picture")
    with pytest.raises(UserError) as error:
        list(data(root, workers=workers).val_dataloader())
    assert str(error.value).startswith(f"frame {path} cannot be read as a picture")
    assert "Traceback" not in str(error.value)


def test_missing_root_shows_in_setup(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="looked for the folder"):
        data(tmp_path / "nowhere").setup("fit")
