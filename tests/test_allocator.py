"""Freed memory is kept for the next step."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from avs_lightning.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(12):
    torch.ones(16_000_000)
before = faults()
for _ in range(10):
    torch.ones(16_000_000)
print(faults() - before)
"""


def page_faults(keep: bool) -> int:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is set")
def test_large_blocks_are_used_again_instead_of_being_mapped_anew() -> None:
    assert page_faults(keep=True) < 0.05 * page_faults(keep=False)
