"""The published recipe, as the configuration composes it with nothing but data and encoder named."""

from typing import Any

import pytest
from hydra import initialize_config_module
from omegaconf import OmegaConf

from avs_lightning.cli.hydra_app import CONFIG_MODULE, set_up_hydra
from avs_lightning.cli.sweep import compose
from avs_lightning.studies.cells.cell import sign


def recipe(*overrides: str) -> dict[str, Any]:
    set_up_hydra(overrides)
    with initialize_config_module(CONFIG_MODULE, version_base="1.3"):
        config = compose("train", overrides).config
    config.paths.output_dir = ""
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return plain


@pytest.mark.parametrize(
    "encoder, rate",
    [("resnet50", 0), ("pvt_v2_b5", 0.1), ("pvt_v2_b0", 0.1), ("pvt_v2_b2", 0.1), ("convnext_tiny", 0)],
)
def test_stochastic_depth_is_that_of_the_released_pvt_v2_and_of_no_other_encoder(encoder: str, rate: float) -> None:
    config = recipe(f"encoder={encoder}")
    assert config["encoder"].keys() == recipe()["encoder"].keys()
    assert config["encoder"]["drop_path"] == rate
    assert config["encoder"]["name"] == encoder
    assert sign(config) != sign(recipe(f"encoder={encoder}", "encoder.drop_path=0.2"))


@pytest.mark.parametrize("data, weight", [("s4", 0), ("ms3", 0.5)])
def test_the_matching_loss_is_that_of_raw_vectors(data: str, weight: float) -> None:
    loss = recipe(f"data={data}")["method"]["loss"]
    assert (loss["avm"], loss["avm_distance"], loss["avm_weight"]) == ("audio", "kl", weight)
    assert loss["avm_normalize"] is False
    assert sign(recipe(f"data={data}")) != sign(recipe(f"data={data}", "method.loss.avm_normalize=true"))


@pytest.mark.parametrize(
    "fusion, name",
    [
        (["fusion=none"], "none"),
        (["fusion=stage4"], "stage4"),
        (["fusion=stages1234"], "stages1234"),
        (["fusion=stages34", "fusion.stages=[1]"], "stage1"),
        (["fusion=stage1", "fusion.stages=[2,4]"], "stages24"),
    ],
)
def test_a_run_is_named_after_the_stages_that_it_fuses(fusion: list[str], name: str) -> None:
    assert recipe(*fusion)["name"] == f"s4_resnet50_{name}"
