"""A synthetic AVSBench: drawn objects with synthesised sounds, in the official on-disk layouts."""

from avs_lightning.data.synthetic.categories import CATEGORIES, DEMO_CATEGORIES
from avs_lightning.data.synthetic.scenes import Scene, plan_scene
from avs_lightning.data.synthetic.writer import write_dataset

__all__ = ["CATEGORIES", "DEMO_CATEGORIES", "Scene", "plan_scene", "write_dataset"]
