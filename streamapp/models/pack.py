"""Making a bundle's contents from an estimator and reference rows."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from streamapp.errors import BundleError, PredictionError, SignatureError, StreamappError, in_one_line
from streamapp.messages import Label, OffsetRange
from streamapp.models.baseline import Baseline
from streamapp.models.column import Array, Columns
from streamapp.models.formats import Predict, load_format
from streamapp.models.golden import Golden, draw_golden
from streamapp.models.infer import knows_column
from streamapp.models.labels import fit_labels, read_labels, read_times
from streamapp.models.loading import strange_types
from streamapp.models.losses import check_loss, loss_scale
from streamapp.models.manifest import FileEntry, Manifest, canonical, library_versions
from streamapp.models.packed import BASELINE, GOLDEN, PROFILE, SEGMENTS, SIGNATURE, Packed
from streamapp.models.personal import Personal
from streamapp.models.segments import Segments
from streamapp.models.signature import Signature
from streamapp.models.tables import as_table, count_rows
from streamapp.profile import DriftPolicy, Profile
from streamapp.profile.subjects import with_policy

__all__ = ["Choices", "Contents", "Facts", "pack"]

_LOOK = 200
"""Rows on which a model is tried before it is packed."""
_TIE = 1e-6
"""Golden rows whose two best classes are nearer than this would tell of rounding, not of the model; a format
that rounds more coarsely has its own bound."""


class Contents(NamedTuple):
    """What a bundle holds."""

    packed: Packed
    signature: Signature
    profile: Profile
    golden: Golden
    baseline: Baseline | None
    segments: Segments
    estimator: Any
    predictor: Predict
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choices:
    """What whoever packs a model may choose; see :meth:`streamapp.models.Bundle.create`."""

    format: str
    loss: str | None = None
    loss_scale: float | None = None
    nullable: Collection[str] = ()
    closed: Collection[str] = ()
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None
    personal: Personal = ()
    categorical: Collection[str] = ()
    kinds: Mapping[str, str] | None = None
    drift: DriftPolicy = field(default_factory=dict)
    inherited_drift: DriftPolicy = field(default_factory=dict)
    segments: Collection[str] | Segments = ()
    ordered: bool = True
    target: str | None = None
    classes: tuple[Label, ...] | None = None
    signature: Signature | None = None
    earlier: Profile | None = None
    model_files: Mapping[str, bytes] | None = None
    sibling: Any = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a bundle says of its making."""

    created_at_ms: int | None
    trained_at_ms: int | None = None
    newest_training_data_at_ms: int | None = None
    training_data: Sequence[OffsetRange] = ()
    caused_by: str | None = None


def pack(
    model: Any,
    X: Any,
    y: Any,
    *,
    name: str,
    holdout: tuple[Any, ...] | None,
    time: Any,
    choices: Choices,
    facts: Facts,
) -> Contents:
    """Return the contents of a bundle; parameters and errors as of :meth:`streamapp.models.Bundle.create`."""
    format_ = load_format(choices.format)
    model = _adopt(model, choices.format)
    table, labels = as_table(X), read_labels(y)
    _check_lengths(count_rows(table), len(labels), "reference")
    times_ms = None
    if time is not None:
        order, times_ms = read_times(_times(table, time, model))
        _check_lengths(count_rows(table), len(order), "time")
        table, labels = {key: _take(values, order) for key, values in table.items()}, labels[order]
        if facts.newest_training_data_at_ms is None and times_ms is not None and len(times_ms):
            facts = replace(facts, newest_training_data_at_ms=int(times_ms[-1]))
    signature, columns = _sign(model, table, labels, choices)
    predictor = format_.predictor(model, signature.classes)
    signature = _settle_input(model, signature, predictor, columns)
    warnings = _try(model, table, signature, predictor, columns)
    segments = choices.segments
    if not isinstance(segments, Segments):
        segments = Segments.choose(segments, signature.columns, columns)
    labels = fit_labels(labels, signature.classes, target="the reference's target")
    profile = Profile.fit(
        columns,
        y=labels,
        ordered=choices.ordered,
        categorical=choices.categorical,
        classes=signature.classes,
        kinds=choices.kinds,
        times=times_ms,
        personal=signature.withheld,
        like=choices.earlier,
    )
    loss, scale = check_loss(choices.loss, signature.task), choices.loss_scale
    baseline = None
    if holdout is not None:
        answering = predictor
        if choices.sibling is not None:
            sibling = _adopt(choices.sibling, choices.format)
            answering = format_.predictor(sibling, signature.classes)
        asked, answers, truth, held_ms = _answer_holdout(holdout, signature, answering)
        profile = profile.with_outputs(answers.outputs, signature.classes, held_ms)
        if loss == "absolute" and scale is None:
            scale = loss_scale(truth, answers.values)
        levels = segments.of(signature.to_rows(asked)) if segments else None
        baseline = Baseline.of(loss, answers, truth, scale, levels)
    profile = with_policy(profile, choices.inherited_drift, only_known=True)
    profile = with_policy(profile, choices.drift)
    golden = _draw_golden(signature, profile, predictor, format_.TOLERANCE)
    parts = {SIGNATURE: signature.to_dict(), GOLDEN: golden.to_dict()}
    if baseline is not None:
        parts[BASELINE] = baseline.to_dict()
    if segments:
        parts[SEGMENTS] = segments.to_dict()
    files = {path: canonical(fields) for path, fields in parts.items()} | {PROFILE: profile.to_bytes()}
    model_files = choices.model_files or _dump(model, choices.format)
    if any(b"__main__" in data for data in model_files.values()):
        warnings += (
            "the model refers to a class or function of the script that made it (__main__), which other "
            "processes do not have: define it in a module that can be imported",
        )
    warnings += _remark_types(choices.format, model_files)
    files |= model_files
    manifest = Manifest(
        name=name,
        task=signature.task,
        format=choices.format,
        files={
            path: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for path, data in sorted(files.items())
        },
        libraries=library_versions(*format_.LIBRARIES),
        created_at_ms=facts.created_at_ms,
        trained_at_ms=facts.trained_at_ms,
        newest_training_data_at_ms=facts.newest_training_data_at_ms,
        training_data=list(facts.training_data),
        reference_rows=count_rows(columns),
        holdout_rows=0 if baseline is None else baseline.rows,
        loss=loss,
        loss_scale=scale,
        caused_by=facts.caused_by,
    )
    packed = Packed(manifest, files)
    return Contents(packed, signature, profile, golden, baseline, segments, model, predictor, warnings)


def _times(table: dict[str, Any], time: Any, model: Any) -> Any:
    """Return the times themselves where `time` is their column, which goes unless the model takes it."""
    if not isinstance(time, str) or time not in table:
        return time
    return table[time] if knows_column(model, time) else table.pop(time)


def _remark_types(format_name: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
    strange = strange_types(format_name, files)
    if not strange:
        return ()
    return (
        "the model holds types that skops does not trust by itself: where it is to be loaded, allow them "
        f"with `streamapp keys trust-type {' '.join(strange)}`",
    )


def _adopt(model: Any, format_name: str) -> Any:
    try:
        return load_format(format_name).adopt(model)
    except TypeError as exc:
        raise BundleError(
            f"format {format_name!r} does not fit a {type(model).__name__}, which {exc}"
        ) from None
    except StreamappError:
        raise
    except Exception as exc:  # a class's own way of being written may raise anything
        raise _unwritable(format_name, exc) from exc


def _unwritable(format_name: str, exc: Exception) -> BundleError:
    return BundleError(
        f"the model cannot be written as {format_name}: {in_one_line(exc)}; functions and classes in it must "
        "be defined in a module that can be imported"
    )


def _check_lengths(rows: int, others: int, what: str) -> None:
    if rows != others:
        raise SignatureError(f"{rows} rows and {others} values of the {what}; one per row must be given")


def _take(values: Any, order: Array) -> Any:
    return values.iloc[order] if hasattr(values, "iloc") else values[order]


def _sign(model: Any, table: dict[str, Any], labels: Array, choices: Choices) -> tuple[Signature, Columns]:
    if choices.signature is not None:
        columns = choices.signature.from_frame(table)
        return choices.signature.renewed(columns, model), columns
    signature = Signature.infer(
        table,
        labels,
        model,
        nullable=choices.nullable,
        closed=choices.closed,
        bounds=choices.bounds,
        target=choices.target,
        personal=choices.personal,
        classes=choices.classes,
    )
    return signature, signature.from_frame(table)


def _head(columns: Columns) -> Columns:
    return {name: values[:_LOOK] for name, values in columns.items()}


def _settle_input(model: Any, signature: Signature, predictor: Predict, columns: Columns) -> Signature:
    """Return the signature with the input that works, for estimators that do not tell."""
    if signature.input != "matrix" or hasattr(model, "n_features_in_"):
        return signature
    try:
        predictor(signature.to_input(_head(columns)))
    except PredictionError:
        framed = replace(signature, input="frame")
        predictor(framed.to_input(_head(columns)))
        return framed
    return signature


def _try(
    model: Any, table: dict[str, Any], signature: Signature, predictor: Predict, columns: Columns
) -> tuple[str, ...]:
    """Predict some reference rows as requests will be, and return what is strange about the answers."""
    X = signature.to_input(_head(columns))
    answers = predictor(X)
    if signature.input == "frame":
        _check_restored(table, signature, predictor, answers.outputs)
    if answers.probabilities is None or not hasattr(model, "predict"):
        return ()
    differ = int((np.asarray(model.predict(X)).astype(object) != answers.values).sum())
    if not differ:
        return ()
    return (
        f"predict() says otherwise than the most probable class in {differ} of {len(answers)} reference rows "
        "(a tuned threshold?): answers will be the most probable class",
    )


def _check_restored(table: dict[str, Any], signature: Signature, predictor: Predict, outputs: Array) -> None:
    import pandas as pd  # noqa: PLC0415

    original = pd.DataFrame({name: table[name][:_LOOK] for name in signature.names})
    try:
        direct = predictor(original).outputs
    except PredictionError:
        return  # a CSV file has no categories, booleans with gaps and the like: what was restored works
    same = (
        np.isclose(direct, outputs, rtol=1e-4, atol=1e-6, equal_nan=True)
        if outputs.dtype != object
        else direct == outputs
    )
    if not np.all(same):
        dtypes = ", ".join(sorted({str(dtype) for dtype in original.dtypes}))
        raise SignatureError(
            f"the model answers rows that came as JSON otherwise than the reference rows themselves (first: "
            f"row {int(np.argwhere(~np.asarray(same))[0][0])}); their dtypes ({dtypes}) cannot all be "
            "restored: fit the model on float, integer, boolean, string or category columns"
        )


def _answer_holdout(
    holdout: tuple[Any, ...], signature: Signature, predictor: Predict
) -> tuple[Columns, Any, Array, Array | None]:
    """Return the holdout's columns, answers, labels and times; these order it if they are dates."""
    X, y, *time = holdout
    columns = signature.from_frame(X)
    truth = fit_labels(read_labels(y), signature.classes, target="the holdout's target")
    _check_lengths(count_rows(columns), len(truth), "holdout's target")
    if not len(truth):
        raise SignatureError("the holdout has no rows")
    times_ms = None
    if time:
        order, times_ms = read_times(time[0])
        _check_lengths(len(truth), len(order), "holdout's time")
        columns, truth = {name: values[order] for name, values in columns.items()}, truth[order]
    try:
        signature.check(columns)
    except SignatureError as exc:
        raise SignatureError(f"holdout: {exc}") from None
    return columns, predictor(signature.to_input(columns)), truth, times_ms


def _draw_golden(signature: Signature, profile: Profile, predictor: Predict, tolerance: float) -> Golden:
    drawn = _answerable(draw_golden(signature.columns, profile), signature, predictor)
    answers = predictor(signature.to_input(drawn))
    if answers.probabilities is not None and answers.probabilities.shape[1] > 1:
        best = np.sort(answers.probabilities, axis=1)
        clear = best[:, -1] - best[:, -2] > max(_TIE, tolerance)
        if clear.any():
            drawn = {name: values[clear] for name, values in drawn.items()}
    # As they will be checked: read from JSON, and in one batch.
    rows = signature.to_rows(drawn)
    return Golden.of(rows, predictor(signature.to_input(signature.from_rows(rows))))


def _answerable(drawn: Columns, signature: Signature, predictor: Predict) -> Columns:
    """Return the rows that the model answers: one that never occurs may be one that it refuses."""
    try:
        predictor(signature.to_input(drawn))
    except PredictionError as exc:
        kept = []
        for i in range(count_rows(drawn)):
            with contextlib.suppress(PredictionError):
                predictor(signature.to_input({name: values[i : i + 1] for name, values in drawn.items()}))
                kept.append(i)
        if not kept:
            raise PredictionError(
                f"the model answers none of {count_rows(drawn)} made-up rows: {exc}"
            ) from exc
        return {name: values[kept] for name, values in drawn.items()}
    return drawn


def _dump(model: Any, format_name: str) -> dict[str, bytes]:
    try:
        return load_format(format_name).dump(model)
    except Exception as exc:  # a class's own way of being pickled may raise anything
        raise _unwritable(format_name, exc) from exc
