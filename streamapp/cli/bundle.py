"""``streamapp bundle``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from streamapp.cli.here import import_from_here
from streamapp.cli.options import drift_option, json_option

if TYPE_CHECKING:
    import pandas as pd

    from streamapp.models import Bundle
    from streamapp.models.mlflow_schema import MlflowSchema
    from streamapp.profile import ColumnPolicy

__all__ = ["command"]

Bounds = dict[str, tuple[float | None, float | None]]

_MOST_COLUMNS = 20
"""Columns that are listed."""


class _Table(NamedTuple):
    """A CSV file apart from its target."""

    X: pd.DataFrame
    y: pd.Series[Any]
    time: pd.Series[Any] | None
    without_target: int


def _parse_bounds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Bounds:
    bounds: Bounds = {}
    for value in values:
        column, _, limits = value.rpartition("=")
        low, colon, high = limits.partition(":")
        try:
            if not (column and colon and (low or high)):
                raise ValueError(value)  # noqa: TRY301  # one message for all that is wrong
            bounds[column] = (float(low) if low else None, float(high) if high else None)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not COLUMN=LO:HI, e.g. temp=-40:60 or price=0:") from None
    return bounds


def _parse_kinds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for value in values:
        column, _, kind = value.rpartition("=")
        if not (column and kind):
            raise click.BadParameter(f"{value!r} is not COLUMN=KIND, e.g. zip=categorical or serial=id-like")
        kinds[column] = kind
    return kinds


def _parse_personal(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    personal: dict[str, str] = {}
    for value in values:
        column, _, treatment = value.rpartition("=")
        if column and treatment not in {"drop", "hash"}:
            raise click.BadParameter(f"{value!r} is not COLUMN, COLUMN=drop or COLUMN=hash")
        personal[column or value] = treatment if column else "drop"
    return personal


@click.command("bundle")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--reference", type=click.Path(path_type=Path), required=True, metavar="FILE.csv",
              help="Rows that show what is normal; they may be the training rows.")  # fmt: skip
@click.option("--target", required=True, metavar="COLUMN", help="What is predicted.")
@click.option("--name", required=True, help="The deployment that the model is for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder of the bundle.")  # fmt: skip
@click.option("--format", "format_", metavar="FORMAT",
              help="Of the bundle: joblib, pickle, skops, onnx, keras, tensorflow or river. A scikit-learn "
              "model is converted to onnx or skops if asked for.  [default: that of MODEL]")  # fmt: skip
@click.option("--classes", metavar="A,B,C", help="In the order of a network's outputs.  "
              "[default: the labels of the reference, sorted, unless the model tells]")  # fmt: skip
@click.option("--holdout", type=click.Path(path_type=Path), metavar="FILE.csv",
              help="Rows that the model was not fitted on: loss, calibration and outputs to compare with. "
              "Without it they come from the first 2,000 live rows.")  # fmt: skip
@click.option("--time", metavar="COLUMN", help="Times of the rows, which put them in order, and in "
              "which a daily cycle is looked for. It may be an input, too.")  # fmt: skip
@click.option("--loss", type=click.Choice(["zero-one", "brier", "absolute"]),
              help="The deployment decides by it.  [default: zero-one, or absolute for numbers]")  # fmt: skip
@click.option("--nullable", multiple=True, metavar="COLUMN",
              help="May be missing, though it never is in the reference. Repeatable.")  # fmt: skip
@click.option("--closed", multiple=True, metavar="COLUMN",
              help="Accepts no category that the reference lacks. Repeatable.")  # fmt: skip
@click.option("--bounds", multiple=True, metavar="COLUMN=LO:HI", callback=_parse_bounds,
              help="Numbers outside are rejected; LO or HI may be left out. Repeatable.")  # fmt: skip
@click.option("--kind", "kinds", multiple=True, metavar="COLUMN=KIND", callback=_parse_kinds,
              help="What drift of the column is: continuous, discrete, categorical, high-cardinality, text, "
              "datetime or id-like.  [default: by its values; see inspect] Repeatable.")  # fmt: skip
@click.option("--segment", "segments", multiple=True, metavar="COLUMN",
              help="Accuracy is watched for each level of it, too. Repeatable.")  # fmt: skip
@click.option("--personal", multiple=True, metavar="COLUMN[=drop|hash]", callback=_parse_personal,
              help="Only the model sees its values: nothing that is written has them, or a keyed hash in "
              "their place. Of inputs this switches retraining and challengers off. Repeatable.")  # fmt: skip
@drift_option
@json_option
def command(
    *,
    model: Path,
    reference: Path,
    target: str,
    name: str,
    output: Path,
    format_: str | None,
    classes: str | None,
    holdout: Path | None,
    time: str | None,
    loss: str | None,
    nullable: tuple[str, ...],
    closed: tuple[str, ...],
    bounds: Bounds,
    kinds: dict[str, str],
    segments: tuple[str, ...],
    personal: dict[str, str],
    drift: dict[str, ColumnPolicy],
    as_json: bool,
) -> None:
    """Pack MODEL into a bundle: with its signature, reference profile, hashes and seal.

    MODEL is a file (joblib, pickle, skops, ONNX, Keras, river), a SavedModel or an MLflow model directory. It
    is loaded, which runs whatever code is in it: pack only what you made or trust. Your own modules that it
    needs must be installed, or lie in the working directory, also where it is deployed and run.

    \b
    Example:
      streamapp bundle model.joblib --reference train.csv --target label --name bikes \\
        --holdout test.csv --time when -o bundles/bikes
      streamapp bundle model.joblib --format onnx --reference train.csv \\
        --target label --name bikes -o bundles/bikes
      streamapp deploy bikes bundles/bikes
    """  # noqa: D301  # \b is click's mark for lines that stay as they are
    from streamapp.models import Bundle, Keys  # noqa: PLC0415  # not needed for --help
    from streamapp.topics import check_name  # noqa: PLC0415

    check_name(name)
    import_from_here()
    rows = _read_table(reference, target, time)
    held = None if holdout is None else _read_table(holdout, target, None)
    found = _read_model(model, format_)
    original = type(found.estimator).__name__
    X, ignored = _inputs(found, rows, time)
    order, note = _parse_classes(classes, rows.y), None
    if found.format == "onnx" and found.files is None:
        found, order, note = _convert(found, X, rows.y)
    bundle = Bundle.create(
        found.estimator,
        X,
        rows.y,
        name=name,
        format=found.format,
        holdout=None if held is None else _held(held, time),
        time=rows.time,
        loss=loss,
        nullable={*nullable, *(found.schema.nullable if found.schema else ())},
        closed=closed,
        bounds=bounds,
        personal=personal,
        kinds=kinds,
        drift=drift,
        segments=segments,
        ordered=True,
        target=target,
        classes=order,
        model_files=found.files,
    )
    keys = Keys()
    key, is_new = keys.local()
    url = bundle.save(output, key=key)
    sealed = Bundle.inspect(url)
    if as_json:
        click.echo(json.dumps(_fields(sealed, ignored, [*found.remarks, *bundle.warnings], is_new=is_new)))
        return
    _say(sealed, ignored, rows.without_target, original, note)
    for remark in [*found.remarks, *bundle.warnings]:
        click.echo(f"warning: {remark}", err=True)
    fingerprint = sealed.packed.seal.fingerprint if sealed.packed.seal else ""
    made = f", made now and trusted on this machine ({keys.folder})" if is_new else ""
    click.echo(f"  sealed by     key {fingerprint}{made}")
    click.echo(f"  written to    {output}")
    click.echo(f"next: streamapp deploy {name} {output}")


def _read_table(path: Path, target: str, time: str | None) -> _Table:
    import pandas as pd  # noqa: PLC0415

    from streamapp.errors import ConfigError  # noqa: PLC0415

    try:
        table = pd.read_csv(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except (ValueError, pd.errors.ParserError) as exc:  # not text, or not a table
        raise ConfigError(f"{path} is no CSV file: {str(exc).splitlines()[0]}") from exc
    for option, column in (("--target", target), ("--time", time)):
        if column is not None and column not in table.columns:
            shown = ", ".join(map(str, table.columns[:10]))
            raise ConfigError(f"{option} {column}: {path} has no such column; it has {shown}")
    labelled = table[table[target].notna()]
    if not len(labelled):
        raise ConfigError(f"{path} has no rows with a value of {target}")
    return _Table(
        labelled.drop(columns=target),
        labelled[target],
        None if time is None else labelled[time],
        len(table) - len(labelled),
    )


def _held(table: _Table, time: str | None) -> tuple[Any, ...]:
    """Return the holdout's rows and labels, and their times if it has them."""
    times = () if time is None or time not in table.X else (table.X[time],)
    return (table.X, table.y, *times)


class _Model(NamedTuple):
    """What is packed."""

    estimator: Any
    format: str
    files: dict[str, bytes] | None
    """As they lie on disk; None if they are to be written anew."""
    schema: MlflowSchema | None
    remarks: list[str]


def _read_model(path: Path, format_: str | None) -> _Model:
    from streamapp.errors import BundleError  # noqa: PLC0415
    from streamapp.models import Keys  # noqa: PLC0415
    from streamapp.models.formats import Trust, load_format  # noqa: PLC0415
    from streamapp.models.source import read_source  # noqa: PLC0415

    if format_ is not None:
        load_format(format_)
    source = read_source(path, format_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = source.load(Trust(code=True, types=Keys().types()))
    remarks = [str(each.message).split(". ")[0] for each in caught]
    try:
        load_format(source.format).adopt(estimator)
    except TypeError as exc:
        raise BundleError(f"{path} holds a {type(estimator).__name__}, which {exc}") from None
    name = format_ or source.format
    files = source.files if name == source.format else None
    return _Model(estimator, name, files, source.schema, list(dict.fromkeys(remarks)))


def _inputs(model: _Model, rows: _Table, time: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the model's columns, and the names of those that it does not take."""
    X = rows.X if time is None or _takes(model, time) else rows.X.drop(columns=time)
    fitting = X if model.schema is None else model.schema.fit(X, rows.y)
    names = getattr(model.estimator, "feature_names_in_", None)
    wanted = set(fitting.columns) if names is None else {str(name) for name in names}
    return fitting, [column for column in X.columns if column not in wanted]


def _takes(model: _Model, column: str) -> bool:
    """Return whether `column` is an input of the model, if it knows these by name."""
    from streamapp.models.infer import knows_column  # noqa: PLC0415

    named = () if model.schema is None else (each.name for each in model.schema.inputs or ())
    return knows_column(model.estimator, column) or column in named


def _convert(model: _Model, X: pd.DataFrame, y: pd.Series[Any]) -> tuple[_Model, Any, str]:
    """Return the model as ONNX, its classes, and what is to be said of how near it is."""
    from streamapp.models.convert import to_onnx  # noqa: PLC0415

    found = to_onnx(model.estimator, X, y)
    others = f", {found.others} of them with another class" if found.classes else ""
    note = f"largest difference from the original {found.difference:.1e} in {found.rows:,} rows{others}"
    return model._replace(estimator=found.network, files=None), found.classes, note


def _parse_classes(text: str | None, y: pd.Series[Any]) -> list[Any] | None:
    """Return the classes in `text`, as the labels that they are in the reference."""
    from streamapp.errors import ConfigError  # noqa: PLC0415

    if text is None:
        return None
    labels = {str(label): label for label in y.unique().tolist()}
    names = [name.strip() for name in text.split(",")]
    if strange := [name for name in labels if name not in names]:
        raise ConfigError(
            f"--classes {text} lacks {strange[0]!r}, which is a label of the reference: name all, in the "
            "order of the model's outputs"
        )
    as_kind = type(next(iter(labels.values())))
    try:
        return [labels[name] if name in labels else as_kind(name) for name in names]
    except ValueError:
        raise ConfigError(
            f"--classes {text}: the reference's labels are of type {as_kind.__name__}"
        ) from None


def _say(bundle: Bundle, ignored: list[str], without_target: int, model: str, note: str | None) -> None:
    from streamapp.models.formats import load_format  # noqa: PLC0415

    manifest, signature = bundle.manifest, bundle.signature
    click.echo(f"{manifest.name} {bundle.version}")
    library = next(iter(load_format(manifest.format).LIBRARIES), "scikit-learn")
    click.echo(f"  model         {model}, {manifest.format}, {library} {manifest.libraries[library]}")
    if note is not None:
        click.echo(f"  converted     {note}")
    classes = f": {_some(signature.classes)}" if signature.classes else ""
    click.echo(f"  predicts      {signature.target}, {signature.task}{classes}")
    form = "rows" if signature.input == "rows" else f"a {signature.input}"
    click.echo(f"  inputs        {len(signature.columns)} columns, as {form}")
    shown = signature.columns[:_MOST_COLUMNS]
    width = max(len(column.name) for column in shown)
    for column in shown:
        marks = (
            [f"{column.range[0]:g} to {column.range[1]:g}"]
            if column.range and column.dtype != "boolean"
            else []
        )
        marks += [_some(column.categories)] if column.categories and not column.personal else []
        marks += ["may be missing"] if column.nullable else []
        marks += ["no other category"] if column.closed else []
        marks += ["bounded"] if column.bounds else []
        marks += [f"personal ({column.personal})"] if column.personal else []
        click.echo(f"    {column.name:<{width}}  {column.dtype:<8} {'; '.join(marks)}")
    if more := len(signature.columns) - len(shown):
        click.echo(f"    and {more} more: streamapp inspect shows all")
    if ignored:
        click.echo(f"  left out      {_some(ignored)}: the model was not fitted with them")
    if signature.personal:
        click.echo(f"  personal      {_some(signature.personal)}: no inputs, and never written")
    missing = f", {without_target:,} more without {signature.target} left out" if without_target else ""
    click.echo(f"  reference     {manifest.reference_rows:,} rows{missing}")
    if bundle.baseline is None:
        of_loss = "calibration" if signature.classes is not None else "its scale"
        click.echo(
            f"  baseline      none: loss, {of_loss} and outputs will come from the first 2,000 live "
            "rows (--holdout FILE.csv gives them now)"
        )
    else:
        loss = f"{manifest.loss} loss {bundle.baseline.mean:.4g}"
        click.echo(f"  baseline      {loss} on {manifest.holdout_rows:,} rows of the holdout")


def _some(values: Any, most: int = 6) -> str:
    shown = ", ".join(str(value) for value in list(values)[:most])
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _fields(bundle: Bundle, ignored: list[str], remarks: list[str], *, is_new: bool) -> dict[str, Any]:
    manifest, seal = bundle.manifest, bundle.packed.seal
    return {
        "name": manifest.name,
        "version": bundle.version,
        "bundle": bundle.url,
        "sha256": bundle.sha256,
        "format": manifest.format,
        "signature": bundle.signature.to_dict(),
        "reference_rows": manifest.reference_rows,
        "holdout_rows": manifest.holdout_rows,
        "loss": manifest.loss,
        "baseline_loss": None if bundle.baseline is None else bundle.baseline.mean,
        "left_out": ignored,
        "seal": {"key": seal.fingerprint if seal else None, "key_is_new": is_new},
        "warnings": remarks,
    }
