"""What a person types as the label of an answer, read as the model's own kind of label."""

from __future__ import annotations

import math

from streamapp.messages import Label, Prediction

__all__ = ["classes_of", "read_label"]

_BOOLEANS = {"True": True, "False": False}


def classes_of(answer: Prediction) -> tuple[Label, ...]:
    """Return the classes of an answer with probabilities, the likeliest first; none for others.

    Their names there are texts; they are made what the prediction is.

    Examples
    --------
    >>> classes_of(
    ...     Prediction.parse(
    ...         {
    ...             "id": "r", "model": {"name": "m", "version": "v"}, "prediction": 1, "predicted_at": 0,
    ...             "request": {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0},
    ...             "probabilities": {"0": 0.2, "1": 0.8},
    ...         }
    ...     )
    ... )
    (1, 0)
    """
    given = answer.probabilities or {}
    return tuple(_like(answer.prediction, name) for name in sorted(given, key=lambda name: -given[name]))


def read_label(answer: Prediction, text: str) -> Label:
    """Return the label that `text` says.

    Classes may be shortened to what no other begins with. Where the classes are not known, any text is one if
    the prediction is a text, and a number if it is one.

    Raises
    ------
    ValueError
        Saying what would be right.
    """
    classes = classes_of(answer)
    if classes:
        return _chosen(classes, text)
    prediction = answer.prediction
    if isinstance(prediction, str) or prediction is None:
        return text
    if isinstance(prediction, bool):
        return bool(_chosen((True, False), text))
    try:
        number = int(text) if isinstance(prediction, int) else float(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number; write one like {prediction}")
    return number


def _chosen(classes: tuple[Label, ...], text: str) -> Label:
    names = {str(label): label for label in classes}
    if text in names:
        return names[text]
    folded = text.casefold()
    for fits in (str.__eq__, str.startswith):
        found = [label for name, label in names.items() if fits(name.casefold(), folded)]
        if len(found) == 1:
            return found[0]
    raise ValueError(f"{text!r} is {'more than one' if found else 'none'} of {', '.join(names)}")


def _like(prediction: Label | None, name: str) -> Label:
    """Return the class called `name`, as a label of the type of `prediction`."""
    if isinstance(prediction, bool):
        return _BOOLEANS.get(name, name)
    try:
        if isinstance(prediction, int):
            return int(name)
        if isinstance(prediction, float):
            return float(name)
    except ValueError:
        pass
    return name
