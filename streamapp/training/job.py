"""One training: an estimator fitted on recent labelled rows, packed and stored."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streamapp.errors import InfrastructureError, StreamappError, TrainingError, in_one_line
from streamapp.messages import Model, OffsetRange, TriedWindow
from streamapp.models import Bundle, Columns, Keys, Store
from streamapp.models.formats import format_of, load_format
from streamapp.models.formats.network import Network
from streamapp.models.personal import not_learned_line
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.training.backends import parallel
from streamapp.training.candidates import Chosen, Window, fit_best, windows_of
from streamapp.training.comparison import Comparison
from streamapp.training.rows import Examples, choose_rows, holdout_start
from streamapp.training.trainers import load_trainer

__all__ = ["Job", "Trained", "TrainingOptions", "held_start", "train"]

_SEED = 20_130_101


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train.

    Attributes
    ----------
    trainer
        One of :data:`streamapp.training.trainers.TRAINERS`.
    backend, dask_address
        Where joblib's parallel calls go; see :func:`streamapp.training.backends.parallel`.
    min_rows
        Fewer rows that can be used give no model.
    window_ms
        Rows requested longer than this before the newest request are left out; None: all count.
    windows
        Numbers of newest rows to try, beside all rows and those since a change.
    holdout_share
        Share of a window's rows, the newest, that are kept from the fit; see :func:`held_start`.
    holdout_at_least, holdout_at_most
        Bounds of their number.
    threads
        Of BLAS and OpenMP.
    """

    trainer: str = "refit"
    backend: str = "loky"
    dask_address: str | None = None
    min_rows: int = 500
    window_ms: int | None = None
    windows: tuple[int, ...] = (2_000, 8_000)
    holdout_share: float = 0.1
    holdout_at_least: int = 300
    holdout_at_most: int = 5_000
    threads: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a training needs: equal jobs give equal versions, in any worker process. Can be pickled.

    Attributes
    ----------
    deployment
        Name.
    bundle, sha256
        The champion's URL, and the hash of its manifest.
    keys
        Folder of the keys that are trusted, and of the one that seals.
    store
        URL under which the new bundle is put.
    values
        Of the records of ``labelled``, in log order.
    times_ms
        Event times of their requests, from the header ``ce_time``; None where there is none.
    data
        The offset ranges that they were read from.
    since
        Position among the values of the first row after a change, None if none is known.
    caused_by
        Id of the retrain event.
    trained_at_ms
        What the bundle will say, milliseconds since the epoch.
    loss_scale
        Which error counts as a loss of 1, as the champion's record says where its bundle does not.
    """

    deployment: str
    bundle: str
    sha256: str
    keys: Path
    store: str
    values: Sequence[bytes | None] = field(repr=False)
    times_ms: Sequence[int | None] = field(repr=False)
    data: tuple[OffsetRange, ...]
    caused_by: str
    trained_at_ms: int
    since: int | None = None
    loss_scale: float | None = None
    options: TrainingOptions = TrainingOptions()


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gave.

    Attributes
    ----------
    model
        The version's record, with state ``challenger``; its bundle is in the store.
    rows, holdout_rows
        How many rows it was fitted on, and on how many it was chosen.
    loss
        Mean loss on the latter, of its sibling that was not fitted on them.
    left_out
        Why records were not used, to how many.
    tried
        All candidates, the longest window first.
    """

    model: Model
    rows: int
    holdout_rows: int
    loss: float
    left_out: dict[str, int]
    tried: tuple[TriedWindow, ...] = ()


def train(job: Job) -> Trained:
    """Fit an estimator on a job's rows as the options say, and store it as a bundle.

    Rows are put in the order of their requests. Several windows of them are tried, each without the newest
    rows, and no row requested at a time within these is fitted on; the best on the newest rows is fitted once
    more with them. What the estimator draws from NumPy's global generator is seeded before each fit.

    Raises
    ------
    TrainingError
        In one line: too few rows, a single class, an estimator that cannot be cloned or fitted, a champion
        that cannot be loaded or needs personal columns, an answer that is none.
    ConfigError
        If there is no such trainer or backend.
    StoreError
        If the store does not answer: try again later.
    """
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    trainer = load_trainer(job.options.trainer)
    champion = _load(job)
    if withheld := champion.signature.withheld:
        raise TrainingError(not_learned_line(withheld))
    rows = LabelledRows.read(job.values, range(len(job.values)), job.times_ms)
    examples = choose_rows(rows, champion.signature, window_ms=job.options.window_ms)
    windows, newest = _split(examples, job.options, _position(job, rows, examples), champion)

    compare = Comparison(champion, *examples.part(slice(newest, None)), job.loss_scale)

    def fit(chosen: slice) -> _Fitted:
        columns, labels = examples.part(chosen)
        with _seeded(), parallel(job.options.backend, dask_address=job.options.dask_address):
            estimator = trainer.fit(champion, columns, labels, examples.times_ms[chosen])
            fitted = _adopted(champion, estimator, trainer.name)
        _check_task(champion, fitted[0], trainer.name)
        return _Fitted(*fitted, columns)

    with threadpool_limits(job.options.threads):
        chosen = fit_best(
            windows,
            newest,
            len(examples),
            fit=fit,
            losses=lambda each: compare.losses(each.estimator, each.columns, each.format),
            held=lambda window: held_start(examples.times_ms, window, job.options),
            may_refit=lambda sibling, model: sibling.classes == model.classes,
        )
        with _seeded():
            bundle = _pack(job, champion, chosen, examples)
    url = Store(job.store).put(bundle, key=Keys(job.keys).local()[0])
    assert bundle.baseline is not None  # a holdout was given
    model = bundle.record(url, "challenger")
    return Trained(
        model,
        bundle.manifest.reference_rows or 0,
        bundle.baseline.rows,
        bundle.baseline.mean,
        examples.left_out,
        chosen.tried,
    )


def held_start(times_ms: Ints, window: Window, options: TrainingOptions) -> int:
    """Return the position of the first row of a window that is kept from a fit on it.

    Those of the smallest window choose among all candidates; those of the window that was chosen are the
    baseline of what was fitted on it.

    Parameters
    ----------
    times_ms
        Of all rows, (n,) in increasing order.
    window
        Of these.
    options
        Share and bounds of their number; a third of the window is the most in any case.
    """
    own = times_ms[window.start :]
    most = min(options.holdout_at_most, len(own) // 3)
    start = holdout_start(own, share=options.holdout_share, at_least=options.holdout_at_least, at_most=most)
    return window.start + start if start else 0


def _load(job: Job) -> Bundle:
    try:
        return Bundle.load(job.bundle, trust=job.keys, sha256=job.sha256)
    except InfrastructureError:
        raise
    except StreamappError as exc:
        raise TrainingError(
            f"the champion cannot be loaded, so nothing can be trained like it: {exc}"
        ) from exc


class _Fitted(NamedTuple):
    """A candidate, and the inputs that it was fitted on."""

    estimator: Any
    format: str
    columns: Columns

    @property
    def classes(self) -> list[Any] | None:
        classes = getattr(self.estimator, "classes_", None)
        return None if classes is None else list(classes)


def _position(job: Job, rows: LabelledRows, examples: Examples) -> int | None:
    """Return the position of the first example that was requested after the change."""
    if job.since is None:
        return None
    after = rows.times_ms[rows.offsets >= job.since]
    return int(np.searchsorted(examples.times_ms, after.min())) if len(after) else None


def _split(
    examples: Examples, options: TrainingOptions, since: int | None, champion: Bundle
) -> tuple[list[Window], int]:
    """Return the windows, and where the holdout begins; TrainingError if nothing can be learned."""
    n = len(examples)
    if n < max(options.min_rows, 2):
        why = ", ".join(f"{reason} {count:,}" for reason, count in examples.left_out.items())
        raise TrainingError(
            f"{n:,} labelled rows can be used and {max(options.min_rows, 2):,} are needed"
            + (f"; left out: {why}" if why else "")
        )
    windows = windows_of(n, since=since, rows=options.windows, min_rows=options.min_rows)
    newest = held_start(examples.times_ms, windows[-1], options)
    if not newest:
        raise TrainingError(
            f"all {n:,} rows were requested at nearly the same time: none is older than the holdout; "
            "wait for more"
        )
    if champion.signature.classes is None:
        return [each for each in windows if each.start < newest], newest
    label, *others = Counter(examples.labels[:newest].tolist())
    if not others:
        raise TrainingError(
            f"all {newest:,} rows to fit on are labelled {label!r}: with a single class there is "
            "nothing to tell apart; wait for others"
        )
    return [each for each in windows if len(set(examples.labels[each.start : newest].tolist())) > 1], newest


def _adopted(champion: Bundle, estimator: Any, trainer: str) -> tuple[Any, str]:
    """Return what was fitted as its format has it: its own if it has one, else the champion's if it can."""
    own = champion.manifest.format
    name = format_of(estimator) or ("joblib" if isinstance(champion.estimator, Network) else own)
    try:
        return load_format(name).adopt(estimator), name
    except (StreamappError, TypeError) as exc:
        raise TrainingError(f"{trainer} returned {type(estimator).__name__}, which {exc}") from exc


def _check_task(champion: Bundle, estimator: Any, trainer: str) -> None:
    if isinstance(estimator, Network) and not estimator.is_classifier:
        return  # a single number may be a probability
    is_classifier = getattr(estimator, "classes_", None) is not None or isinstance(estimator, Network)
    task = "classification" if is_classifier else "regression"
    if task != champion.signature.task:
        raise TrainingError(
            f"{trainer} returned {type(estimator).__name__}, a model of {task}, and the champion's task is "
            f"{champion.signature.task}"
        )


def _pack(job: Job, champion: Bundle, chosen: Chosen[_Fitted], examples: Examples) -> Bundle:
    has_all = chosen.model is not chosen.sibling
    fitted = slice(chosen.window.start, None if has_all else chosen.held)
    try:
        return Bundle.create(
            chosen.model.estimator,
            *examples.part(fitted),
            name=job.deployment,
            format=chosen.model.format,
            holdout=(*examples.part(slice(chosen.held, None)), _dates(examples.times_ms[chosen.held :])),
            sibling=chosen.sibling.estimator if has_all else None,
            time=_dates(examples.times_ms[fitted]),
            like=champion,
            loss_scale=champion.manifest.loss_scale or job.loss_scale,
            created_at_ms=job.trained_at_ms,
            trained_at_ms=job.trained_at_ms,
            # The holdout's labels count too: it may not be judged again on what its baseline has seen.
            newest_training_data_at_ms=int(examples.labelled_at_ms.max()),
            training_data=job.data,
            caused_by=job.caused_by,
        )
    except InfrastructureError:
        raise
    except StreamappError as exc:
        raise TrainingError(f"the new model was fitted and cannot be packed: {in_one_line(exc)}") from exc


def _dates(times_ms: Ints) -> Any:
    return times_ms.astype("datetime64[ms]")


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed NumPy's global generator, which estimators without a ``random_state`` draw from, and Python's."""
    before, before_too = np.random.get_state(), random.getstate()
    np.random.seed(_SEED)
    random.seed(_SEED)
    try:
        yield
    finally:
        np.random.set_state(before)
        random.setstate(before_too)
