"""Which settings differ, and which of them matter."""

from avs_lightning.reporting.report.config_diff import config_differences


def test_only_what_differs_is_named() -> None:
    one = {"encoder": {"name": "a", "frozen": False}, "fusion": {"stages": [4]}, "seed": 1}
    two = {"encoder": {"name": "b", "frozen": False}, "fusion": {"stages": [3, 4]}, "seed": 1}
    found = {difference.key: difference.values for difference in config_differences([one, two])}
    assert found == {"encoder.name": ("a", "b"), "fusion.stages": ("[4]", "[3, 4]")}


def test_names_and_places_are_left_out() -> None:
    places = [
        {"name": n, "paths": {"runs_dir": n}, "data": {"root": n, "name": "s4"}, "file": f"/x/{n}", "debug": {"x": n}}
        for n in "ab"
    ]
    assert config_differences(places) == []


def test_whether_there_is_a_checkpoint_is_a_difference_and_where_it_lies_is_not() -> None:
    settings = [{"init": {"checkpoint": path}} for path in (None, "/runs/a/best.ckpt")]
    (found,) = config_differences(settings)
    assert found.values == ("null", "…/a/best.ckpt")
    assert config_differences([{"init": {"checkpoint": f"/runs/{name}/best.ckpt"}} for name in "ab"]) == []


def test_settings_that_differ_alike_are_one_difference() -> None:
    settings = [{"method": {"network": {"encoder": name}}, "encoder": {"name": name}} for name in "aab"]
    (found,) = config_differences(settings)
    assert (found.key, found.also, found.values) == ("encoder.name", ("method.network.encoder",), ("a", "a", "b"))


def test_a_cell_that_has_not_started_makes_no_difference() -> None:
    settings = [{"encoder": "a", "lr": 1}, {}, {"encoder": "b", "lr": 1}]
    (found,) = config_differences(settings)
    assert found.values == ("a", "–", "b")


def test_a_setting_that_only_one_has_is_a_difference() -> None:
    (found,) = config_differences([{"lr": 1, "warmup": 0}, {"lr": 1}])
    assert (found.key, found.values) == ("warmup", ("0", "–"))


def test_the_seed_and_what_follows_it_are_no_difference() -> None:
    cells = [{"seed": seed, "data": {"seed": seed, "size": 8 + seed}, "lr": 0.1} for seed in (0, 1)]
    assert [difference.key for difference in config_differences(cells)] == ["data.size"]
