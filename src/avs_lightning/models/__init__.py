"""Parts of networks that methods share: encoders, neck, decoders, and what every network returns."""

from avs_lightning.models.output import NetworkOutput

__all__ = ["NetworkOutput"]
