"""What the graph of a SavedModel may reach: TensorFlow has operators that read and write files.

Each SavedModel holds functions that save and restore its weights, which nobody calls here. So it is looked at
what can be called: what the objects in it offer, and what that calls in turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from streamapp.errors import IntegrityError
from streamapp.models.formats import needs

__all__ = ["reaches_out"]

_OUTSIDE = re.compile("File|Save|Restore|Checkpoint|Print|PyFunc|Reader|Dataset|Debug|Summary|Rpc")
"""In the names of operators that touch files or call what is no operator. Some are harmless: the price of
a false alarm is a seal."""


def reaches_out(saved_model: bytes) -> bool:
    """Return whether the graph in ``saved_model.pb`` can touch anything outside it.

    Raises
    ------
    IntegrityError
        If it is no SavedModel.
    """
    with needs("tensorflow"):
        from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415

    try:
        proto = saved_model_pb2.SavedModel.FromString(saved_model)
    except Exception as exc:  # protobuf's own, which is no dependency of ours
        raise IntegrityError(f"the SavedModel is damaged, so what it holds cannot be told: {exc}") from None
    return any(_OUTSIDE.search(op) for graph in proto.meta_graphs for op in _operators(graph))


def _operators(graph: Any) -> Iterator[str]:
    functions = {each.signature.name: each.node_def for each in graph.graph_def.library.function}
    saver = {graph.saver_def.save_tensor_name.partition(":")[0], graph.saver_def.restore_op_name}
    todo = [[node for node in graph.graph_def.node if node.name not in saver]]
    todo += [functions.pop(name) for name in graph.object_graph_def.concrete_functions if name in functions]
    while todo:
        for node in todo.pop():
            yield node.op
            todo += [functions.pop(name) for name in _called(node) if name in functions]


def _called(node: Any) -> Iterable[str]:
    yield node.op  # a function may stand in an operator's place
    for value in node.attr.values():
        yield value.func.name
        yield from (each.name for each in value.list.func)
