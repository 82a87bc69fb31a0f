"""The Hydra configuration, packaged as `avs_lightning.conf`."""
