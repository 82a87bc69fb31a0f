"""A run's folder: what its files are called, how far the run is and what came out; read without trusting them."""

from avs_lightning.run.files import RunFiles
from avs_lightning.run.folder import Progress, Run, State
from avs_lightning.run.results import Results

__all__ = ["Progress", "Results", "Run", "RunFiles", "State"]
