"""Studies, one folder each, packaged as `avs_lightning.experiments`."""
