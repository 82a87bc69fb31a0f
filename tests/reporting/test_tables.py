"""Tables, as they are printed."""

from rich.console import Console

from avs_lightning.methods import AVSMethod
from avs_lightning.reporting.tables import network_table, scores_table


def printed(table: object) -> str:
    console = Console(width=140)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_scores_stand_with_their_metric_protocol_and_sound() -> None:
    scores = {
        "true": {
            "miou_reference": 0.5,
            "fscore_reference": 0.25,
            "miou_frame": 0.4321,
            "fscore_frame": 0.9876,
            "miou_dataset": 0.1,
            "fscore_dataset": 0.2,
            "false_positive_rate": 0.0625,
        },
        "muted": {"miou_frame": 0.01, "fscore_frame": 0.02},
        "offscreen": {"miou_frame": 0.03, "fscore_frame": 0.04, "false_positive_rate": 1.0},
    }
    text = printed(scores_table(scores, "best, test split"))
    assert "best, test split" in text
    rows = [" ".join(line.split()) for line in text.splitlines()]
    for words in (
        "│ its own sound │ reference │ 50.00 │ 0.250 │ │",
        "│ │ frame │ 43.21 │ 0.988 │ 6.25 │",
        "│ │ dataset │ 10.00 │ 0.200 │ │",
        "│ a sound from off screen │ frame │ 3.00 │ 0.040 │ 100.00 │",
    ):
        assert words in rows
    words = " ".join(text.split())
    assert "reference: as the released scripts: mean over batches of 4 clips" in words
    assert "FPR: background pixels wrongly switched on" in words
    assert sum("0.020" in row for row in rows) == 1
    assert any("mIoU %" in row and "F-score" in row for row in rows)


def test_each_part_stands_with_its_parameters_and_shapes() -> None:
    method = AVSMethod(
        network={"encoder": "test_resnet", "channels": 8, "stages": (4,), "frozen_encoder": True},
        audio_encoder={"name": "small", "frozen": False},
        loss={"avm": "audio", "avm_weight": 0.5},
        optimizer={"name": "adam", "lr": 1e-3},
    ).train()
    text = printed(network_table(method, image_size=64, frames=3))
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in text.splitlines() if line.startswith("│")}
    total = sum(p.numel() for p in method.parameters())
    trained = sum(p.numel() for p in method.parameters() if p.requires_grad)
    assert [cell.strip() for cell in rows["all"][:2]] == [f"{total:,}", f"{trained:,}"]
    assert rows["network.encoder"][1].strip() == "0"
    assert "3×1×64×64" in rows["network.decoder"][2]
    assert "1×3×128" in rows["audio_encoder"][2]
    assert method.training  # as it was
