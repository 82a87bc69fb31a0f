"""Autograd's graph of a value."""

from typing import Any

from torch import Tensor


def graph_leaves(value: Tensor) -> set[Tensor]:
    """Return the leaf tensors that a backward pass from `value` would give a gradient to."""
    found: set[Tensor] = set()
    seen, waiting = set(), [value.grad_fn]
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(node.variable)
        waiting += [step for step, _ in node.next_functions]
    return found
