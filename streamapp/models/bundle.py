"""A bundle: a model with all that is needed to serve it, judge it and trust it."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from streamapp.errors import PredictionError
from streamapp.messages import Label, Model, ModelState, OffsetRange
from streamapp.models.baseline import Baseline
from streamapp.models.column import Columns
from streamapp.models.formats import IN_MEMORY, Predict, Trust, load_format
from streamapp.models.golden import Golden
from streamapp.models.loading import check_trust, load_model, model_files
from streamapp.models.manifest import Manifest, version_warnings
from streamapp.models.pack import Choices, Facts, pack
from streamapp.models.packed import Header, Packed, read_header, read_packed, write_packed
from streamapp.models.parts import read_parts
from streamapp.models.personal import Personal
from streamapp.models.predictions import Predictions
from streamapp.models.seal import Keys, Seal, SealStatus
from streamapp.models.segments import Segments
from streamapp.models.signature import Signature
from streamapp.profile import ColumnPolicy, Profile
from streamapp.profile.policy import read_policy

__all__ = ["Bundle"]


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model file with its signature, reference profile, baseline and golden rows, under one manifest.

    Made by :meth:`create`, read by :meth:`load`, or by :meth:`inspect`, which leaves the model alone.

    Attributes
    ----------
    packed
        The bytes of all files.
    signature
        Inputs and outputs.
    profile
        What drift is measured against.
    golden
        Made-up rows with the answers that the model gave when it was packed.
    baseline
        How well it did on the holdout; None without one.
    estimator
        The model; None after :meth:`inspect`.
    seal_status
        Whether the manifest is sealed by a key that is trusted here.
    warnings
        One line each: what may be wrong and is no error.
    """

    packed: Packed = field(repr=False)
    signature: Signature = field(repr=False)
    profile: Profile = field(repr=False)
    golden: Golden = field(repr=False)
    baseline: Baseline | None = field(repr=False)
    segments: Segments = field(repr=False)
    estimator: Any = None
    predictor: Predict | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    seal_status: SealStatus = "none"

    @classmethod
    def create(
        cls,
        model: Any,
        X: Any,
        y: Any,
        *,
        name: str,
        format: str = "joblib",
        holdout: tuple[Any, Any] | tuple[Any, Any, Any] | None = None,
        time: Any = None,
        loss: str | None = None,
        loss_scale: float | None = None,
        nullable: Collection[str] = (),
        closed: Collection[str] = (),
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        personal: Personal = (),
        categorical: Collection[str] = (),
        kinds: Mapping[str, str] | None = None,
        drift: Mapping[str, ColumnPolicy | Mapping[str, Any]] | None = None,
        segments: Collection[str] = (),
        ordered: bool = True,
        target: str | None = None,
        classes: Sequence[Label] | None = None,
        like: Bundle | None = None,
        sibling: Any = None,
        model_files: Mapping[str, bytes] | None = None,
        created_at_ms: int | None = None,
        trained_at_ms: int | None = None,
        newest_training_data_at_ms: int | None = None,
        training_data: Sequence[OffsetRange] = (),
        caused_by: str | None = None,
    ) -> Self:
        """Pack a fitted model. The same arguments, times included, give the same version.

        Parameters
        ----------
        model
            Fitted estimator of scikit-learn's or river's kind, ``onnx.ModelProto``, ``keras.Model`` or
            ``tf.Module``; one output.
        X
            Reference rows: DataFrame, or dict of arrays (n,). They may be the training rows.
        y
            Labels (n,).
        name
            Of the deployment.
        format
            One of ``FORMATS``: joblib, pickle or skops; river for a model of river, which has learned
            already; onnx, keras, or tensorflow (a model of Keras, too) for networks.
        holdout
            (X, y) or (X, y, times) that the model was not fitted on: they give the baseline of outputs and
            losses. None: no baseline.
        time
            Times (n,) of the reference rows, or their column in `X`, an input or not. They order the rows; of
            dates, the newest is `newest_training_data_at_ms` unless given, and they tell daily cycles.
        loss
            ``zero-one`` (default for classifiers), ``brier`` or ``absolute`` (default for regressors).
        loss_scale
            The error that counts as an absolute loss of 1, in units of the target; default: the 99th
            percentile of the errors on the holdout. Without either, labelled rows tell it later.
        nullable
            Columns that may be missing, beside those that are in `X`.
        closed
            String columns that accept no other level than those in `X`.
        bounds
            Column to lowest and highest accepted number.
        personal
            Columns whose values nothing but the model may see, or column to what becomes of it in answers:
            ``drop`` (default) or ``hash``, a keyed one. They need not be inputs.
        categorical
            Columns of numbers whose drift is that of categories.
        kinds
            Column to the kind that its drift is watched as; see :meth:`streamapp.Profile.fit`.
        drift
            Column, pair or output to what is chosen of how its drift is judged, for example
            ``{"temp": {"floor": 0.3}}``: the policy of :meth:`streamapp.Profile.fit`.
        segments
            Columns of strings, booleans or integers: accuracy is watched for each of their levels, too.
        ordered
            Whether rows stand in the order in which they came.
        target
            Name of what is predicted; default: the name of `y` if it is a Series.
        classes
            In the order of the outputs of a network that does not tell; default: the labels, sorted.
        like
            Earlier bundle of the same deployment: its signature (kinds, what may be missing, bounds, closed
            levels, personal columns), categories, chosen kinds, drift policy, segments, loss and scale are
            kept, so `X` may be columns as they travel; so is its daily cycle if `time` covers too few days.
        sibling
            Estimator that answers the holdout in the model's place: fitted like it, on fewer rows, with the
            same classes. The model may then be fitted on the holdout, too.
        model_files
            The model's own files, if they are to be kept byte for byte; default: written anew.
        created_at_ms, trained_at_ms, newest_training_data_at_ms
            Milliseconds since the epoch; `created_at_ms` is now by default.
        training_data
            Offset ranges that it was trained on.
        caused_by
            The retrain event that it was trained for.

        Raises
        ------
        SignatureError
            If model and rows do not fit each other.
        PredictionError
            If the model fails, or answers something else than it must.
        BundleError
            If the model cannot be written in this format.
        ConfigError
            If the loss does not fit the task, or `drift` names what is not there or is out of its bounds.
        ProfileError
            If a column cannot be of the kind that was chosen for it.
        """
        numbers = () if like is None else like.categorical_numbers
        choices = Choices(
            format=format,
            loss=loss if like is None else loss or like.manifest.loss,
            loss_scale=loss_scale if like is None else loss_scale or like.manifest.loss_scale,
            nullable=nullable,
            closed=closed,
            bounds=bounds,
            personal=personal,
            categorical={*categorical, *numbers},
            kinds=({} if like is None else like.chosen_kinds) | dict(kinds or {}),
            drift=read_policy(drift),
            inherited_drift={} if like is None else like.profile.policy,
            segments=segments if like is None or segments else like.segments,
            ordered=ordered,
            target=target or getattr(y, "name", None),
            classes=None if classes is None else tuple(classes),
            signature=None if like is None else like.signature,
            earlier=None if like is None else like.profile.of_version(like.version),
            model_files=model_files,
            sibling=sibling,
        )
        facts = Facts(
            # The one place that reads a clock: notebooks do not hand one in.
            created_at_ms=clock.time_ns() // 1_000_000 if created_at_ms is None else created_at_ms,
            trained_at_ms=trained_at_ms,
            newest_training_data_at_ms=newest_training_data_at_ms,
            training_data=training_data,
            caused_by=caused_by,
        )
        made = cls(*pack(model, X, y, name=name, holdout=holdout, time=time, choices=choices, facts=facts))
        if model_files is None:
            # What was written must answer like what is in memory: proven here, not when it is to serve.
            made._loaded(IN_MEMORY).check_golden()
        return made

    @classmethod
    def load(
        cls,
        url: str | os.PathLike[str],
        *,
        trust: str | os.PathLike[str] | None = None,
        sha256: str | None = None,
    ) -> Self:
        """Read a bundle, verify it, and only then load the model.

        Parameters
        ----------
        url
            Its folder, an fsspec URL or a path.
        trust
            Folder of the keys that are trusted; default: ``$STREAMAPP_KEYS``, else the user's.
        sha256
            What the manifest's hash must be, if it is known from elsewhere.

        Raises
        ------
        BundleError
            If there is no bundle there, or one that this version cannot read.
        IntegrityError
            If hashes, seal or types do not fit, or it can run code and no trusted key has sealed it.
        StoreError
            If the store does not answer, or nothing lies there though `sha256` is known.
        """
        keys, header = Keys(trust), read_header(url, sha256=sha256)
        status = keys.status(header.seal)
        check_trust(header, status, keys)  # before any file is read: what is not trusted may be of any size
        bundle = cls._read(header, status)
        check_trust(header, status, keys, model_files(bundle.packed))
        return bundle._loaded(Trust(status == "trusted", keys.types()))

    @classmethod
    def inspect(
        cls,
        url: str | os.PathLike[str],
        *,
        trust: str | os.PathLike[str] | None = None,
        sha256: str | None = None,
    ) -> Self:
        """Read and verify a bundle without loading the model; parameters and errors as of :meth:`load`.

        An absent or untrusted seal is no error here: see ``seal_status``.
        """
        header = read_header(url, sha256=sha256)
        return cls._read(header, Keys(trust).status(header.seal))

    @classmethod
    def _read(cls, header: Header, status: SealStatus) -> Self:
        packed = read_packed(header, is_trusted=status == "trusted")
        warnings = version_warnings(packed.manifest.libraries)
        return cls(packed, **read_parts(packed)._asdict(), warnings=warnings, seal_status=status)

    def _loaded(self, trust: Trust) -> Self:
        estimator, predictor = load_model(self.packed, self.signature.classes, trust)
        return replace(self, estimator=estimator, predictor=predictor)

    def save(self, url: str | os.PathLike[str], *, key: str | os.PathLike[str] | None = None) -> str:
        """Write the bundle to a folder, manifest last, and return the folder's absolute URL.

        Parameters
        ----------
        url
            fsspec URL or path of the folder.
        key
            File of the private key that seals it. Default: the seal that it was loaded with, else the local
            key, which is made and trusted if there is none yet.

        Raises
        ------
        StoreError
            If the store refuses.
        BundleError
            If the folder holds something else.
        """
        packed = self.packed
        if packed.seal is None or key is not None:
            path = Path(key) if key is not None else Keys().local()[0]
            packed = packed.sealed(Seal.make(self.manifest.encode(), path))
        return write_packed(packed, url)

    @property
    def manifest(self) -> Manifest:
        """What it is and was made of."""
        return self.packed.manifest

    @property
    def version(self) -> str:
        """First 12 hex digits of the manifest's hash."""
        return self.manifest.version

    @property
    def sha256(self) -> str:
        """The manifest's hash."""
        return self.manifest.sha256

    @property
    def url(self) -> str | None:
        """Where it was read from."""
        return self.packed.url

    @property
    def categorical_numbers(self) -> tuple[str, ...]:
        """Columns of numbers whose drift is that of categories."""
        kinds = {column.name: column.dtype for column in self.signature.columns}
        return tuple(
            c.name for c in self.profile.columns if c.is_names and c.levels and kinds[c.name] != "string"
        )

    @property
    def chosen_kinds(self) -> dict[str, str]:
        """Columns whose kind was chosen and not decided by the reference, to that kind."""
        return {c.name: str(c.chosen) for c in self.profile.columns if c.chosen is not None}

    def record(self, url: str, state: ModelState) -> Model:
        """Return the record of this version for ``models``; its bundle lies at `url`."""
        manifest = self.manifest
        return Model(
            version=self.version,
            state=state,
            bundle=url,
            sha256=self.sha256,
            format=manifest.format,
            trained_at=manifest.trained_at_ms,
            newest_training_data_at=manifest.newest_training_data_at_ms,
            training_data=manifest.training_data,
            caused_by=manifest.caused_by,
            personal=list(self.signature.marked),
            withheld=list(self.signature.withheld),
        )

    def predict(self, rows: Any) -> Predictions:
        """Answer rows.

        Parameters
        ----------
        rows
            List of dicts as in requests, DataFrame, or dict of arrays.

        Raises
        ------
        SignatureError
            If a row does not fit the signature.
        PredictionError
            If the model fails.
        """
        columns = (
            self.signature.from_rows(list(rows))
            if isinstance(rows, Sequence)
            else self.signature.from_frame(rows)
        )
        self.signature.check(columns)
        return self.predict_columns(columns)

    def predict_columns(self, columns: Columns) -> Predictions:
        """Answer columns as they travel, which have been checked: the hot path.

        Raises
        ------
        PredictionError
            If the model fails, or answers something else than it must.
        """
        if self.predictor is None:
            raise PredictionError("the model is not loaded: inspect() leaves it alone, use load()")
        return self.predictor(self.signature.to_input(columns))

    def check_golden(self) -> None:
        """Answer the golden rows, and raise IntegrityError unless the answers are those recorded.

        Classes must be equal, numbers within a relative difference of 1e-9; of networks 1e-4.

        Raises
        ------
        PredictionError
            If the model fails on them.
        """
        answers = self.predict_columns(self.signature.from_rows(self.golden.rows))
        self.golden.check(answers, tolerance=load_format(self.manifest.format).TOLERANCE)
