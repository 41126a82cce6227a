"""What an ONNX model says of its outputs and its classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streamapp.errors import BundleError
from streamapp.messages import Label

__all__ = ["outside_of", "read_classes", "read_outputs"]

_NUMBERS = {"tensor(float)", "tensor(double)", "tensor(float16)"}


def outside_of(message: Any) -> Iterator[str]:
    """Yield what any tensor in `message`, wherever in it, keeps outside of the file."""
    if message.DESCRIPTOR.name == "TensorProto" and message.external_data:
        yield next((entry.value for entry in message.external_data if entry.key == "location"), "?")
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in value if isinstance(value, list) or hasattr(value, "__len__") else (value,):
                yield from outside_of(part)


def read_classes(proto: Any) -> tuple[Label, ...] | None:
    """Return the classes that the graph's classifiers or maps name, if they agree."""
    found: set[tuple[Label, ...]] = set()
    for node in proto.graph.node:
        for attribute in node.attribute:
            if attribute.name in {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}:
                texts = tuple(each.decode() for each in attribute.strings)
                found.add(texts or tuple(int(each) for each in attribute.ints))
    return found.pop() if len(found) == 1 else None


def read_outputs(outputs: list[Any], known: tuple[Label, ...] | None) -> tuple[Any, Any, int | None]:
    """Return the output that answers, what it answers with, and of how many classes it has probabilities.

    Raises
    ------
    BundleError
        If there are several.
    """
    maps = [each for each in outputs if each.type.startswith("seq(map(")]
    numbers = [each for each in outputs if each.type in _NUMBERS]
    labels = [each for each in outputs if each not in maps and each not in numbers]
    if len(maps) + len(numbers) > 1 or len(labels) > 1 or not outputs:
        names = ", ".join(repr(each.name) for each in outputs)
        raise BundleError(
            f"the ONNX model has {len(outputs)} outputs ({names}); a deployment predicts one thing"
        )
    if maps:
        return maps[0], "numbers", len(known) if known else None
    if not numbers:
        return labels[0], "classes", None
    shape = numbers[0].shape
    width = shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None
    if labels and width is None:
        width = len(known) if known else None
    if labels and width == 1:
        width = 2
    return numbers[0], "numbers", width if width != 1 else None
