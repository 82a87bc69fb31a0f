"""Tables, as they are printed."""

from rich.console import Console
from tests.networks import tiny_avs

from avs_lightning.data import example_batch
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
    rows = [" ".join(line.split()) for line in printed(scores_table(scores, "best, test split")).splitlines()]
    assert rows[0] == "best, test split"
    for words in (
        "┃ sound ┃ mIoU % ┃ F ┃ wrongly on % ┃",
        "│ its own sound │ 43.2 │ .988 │ 6.2 │",
        "│ silence │ 1.0 │ .020 │ – │",
        "│ a sound from off screen │ 3.0 │ .040 │ 100.0 │",
    ):
        assert words in rows
    assert sum(row.startswith("│") for row in rows) == len(scores)  # one row a sound; the other protocols below
    assert any("reference" in row and "mIoU 50.0 %, F .250" in row for row in rows)
    assert any("dataset" in row and "mIoU 10.0 %, F .200" in row for row in rows)


def test_each_part_stands_with_its_parameters_and_shapes() -> None:
    method = tiny_avs(stages=(4,), frozen=True).train()
    text = printed(network_table(method, example_batch(1, 64, frames=3)))
    rows = {line.split("│")[1].strip(): line.split("│")[2:-1] for line in text.splitlines() if line.startswith("│")}
    total = sum(p.numel() for p in method.parameters())
    trained = sum(p.numel() for p in method.parameters() if p.requires_grad)
    assert [cell.strip() for cell in rows["all"][:2]] == [f"{total:,}", f"{trained:,}"]
    assert rows["network.encoder"][1].strip() == "0"
    assert "3×1×64×64" in rows["network.decoder"][2]
    assert "1×3×128" in rows["audio_encoder"][2]
    assert method.training  # as it was
