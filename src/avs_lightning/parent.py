"""Processes that end with the one that has started them."""

import ctypes
import sys

_PR_SET_PDEATHSIG = 1  # from Linux' prctl.h
_libc = ctypes.CDLL(None)  # looked up here: between fork and exec as little as possible should happen


def end_with_parent(signum: int) -> None:
    """On Linux, have the kernel send a signal to the present process when its parent has ended, however it ended."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signum)
