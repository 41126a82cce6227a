"""The frozen reference that live rows are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson

from streamapp.errors import ProfileError
from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns, as_columns, row_count
from streamapp.profile.cycle import fit_watched
from streamapp.profile.fields import ProfileFields, readable_of
from streamapp.profile.fitting import fit_column
from streamapp.profile.kinds import read_kinds
from streamapp.profile.labelled_fit import Inputs, fit_labelled
from streamapp.profile.outputs import OutputProfile, fit_outputs, provisional_outputs
from streamapp.profile.pair_products import PairProducts, none_apart
from streamapp.profile.pairs import PairProfile
from streamapp.profile.placing import placed_codes
from streamapp.profile.policy import ColumnPolicy, read_policy
from streamapp.profile.reference import (
    fit_baseline,
    fit_inflation,
    fit_pairs,
    fit_target,
    is_category,
    time_columns,
)
from streamapp.profile.season import Season, is_cyclic
from streamapp.profile.season_fit import read_row_times
from streamapp.profile.shapes import check_shapes
from streamapp.profile.subjects import policy_given, with_policy
from streamapp.profile.summary import Summary
from streamapp.profile.written import read_fields, write_profile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Profile"]


@dataclass(frozen=True, eq=False)
class Profile(ProfileFields):
    """Reference rows as bins, ranks and correlations; no row is kept, and no rare name.

    Edges of bins of numbers are values of reference rows, the smallest and the largest among them.

    Made by :meth:`fit`; summaries made against one profile can be added and compared with it.

    Examples
    --------
    >>> rows = {"temp": np.linspace(0, 1, 1000), "weather": ["mist", "clear"] * 500}
    >>> profile = Profile.fit(rows, ordered=False)
    >>> [str(column.kind) for column in profile.columns]
    ['continuous', 'categorical']
    >>> a = profile.summarize({"temp": np.array([0.1]), "weather": np.array(["mist"], dtype=object)})
    >>> (a + a).rows
    2
    >>> Profile.from_bytes(profile.to_bytes()).digest == profile.digest
    True
    """

    @classmethod
    def fit(
        cls,
        X: pd.DataFrame | Mapping[str, Any],
        outputs: Any = None,
        y: Any = None,
        *,
        ordered: bool = True,
        categorical: Collection[str] | None = None,
        classes: Sequence[object] | None = None,
        kinds: Mapping[str, str] | None = None,
        policy: Mapping[str, ColumnPolicy | Mapping[str, Any]] | None = None,
        times: Any = None,
        personal: Collection[str] = (),
        like: Profile | None = None,
    ) -> Self:
        """Freeze reference rows.

        Parameters
        ----------
        X
            DataFrame, whose dtypes decide what is a number and what a category, or mapping of names to arrays
            (m,): floats are numbers, strings categories, integers categories if they have few levels.
        outputs
            What the model said to rows that it was not fitted on: values or labels (k,), or class
            probabilities (k, classes). As many as there are rows are taken as those of these rows, and have
            their times. None: a baseline can follow from :meth:`with_outputs`.
        y
            Target of the reference rows (m,).
        ordered
            Whether rows stand in the order in which they came. Then the variance that dependence between
            neighbours adds is estimated, and serial numbers are told from numbers.
        categorical
            Names of columns whose numbers are categories, beside those that are found.
        classes
            Of a classifier, in the order of its probabilities.
        kinds
            Column to its kind, where that is not to be decided by the values: ``continuous``, ``discrete``,
            ``categorical``, ``high-cardinality``, ``text``, ``datetime`` or ``id-like``.
        policy
            Column, pair ``A~B`` or output to what is chosen of how its drift is judged, for example
            ``{"temp": {"floor": 0.3}, "serial": {"watch": False}}``: the options of
            :class:`~streamapp.profile.ColumnPolicy`.
        times
            Event times of the reference rows (m,): datetimes, in UTC unless they have a zone, or milliseconds
            since the epoch. Columns with a daily cycle beyond doubt, in three whole days or more, are then
            compared with the reference of the same hours (UTC); see :attr:`season`.
        personal
            Columns whose levels alerts do not name, and which labelled rows will lack.
        like
            Profile of earlier rows of the same stream. Columns that had a daily cycle there have one here. If
            these rows are too few days to tell what it is like, it is that one, moved to their level.

        Raises
        ------
        ProfileError
            If there are no rows, or columns of different lengths, or values cannot be of the kind chosen.
        ConfigError
            If the policy names what is not there, or a value lies outside its bounds.
        """
        named = frozenset(categorical or ())
        columns = as_columns(X)
        rows = row_count(columns)
        if rows == 0:
            raise ProfileError("a reference without rows; pass at least some hundred")
        if unknown := named - columns.keys():
            raise ProfileError(f"categorical names {sorted(unknown)} are not among the columns")
        dated, chosen = time_columns(X), read_kinds(kinds, columns)
        fitted = tuple(
            fit_column(
                name,
                values,
                categorical=name in named or is_category(X, name),
                ordered=ordered,
                is_time=name in dated,
                chosen=chosen.get(name),
            )
            for name, values in columns.items()
        )
        if personal:
            fitted = tuple(replace(column, is_personal=column.name in personal) for column in fitted)
        times_ms = None if times is None else read_row_times(times, rows)
        fitted, mixtures, season, cycle, taken = fit_watched(fitted, columns, times_ms, like)
        coder = Coder(fitted + mixtures)
        numbers, names, _ = coder.codes(columns)
        target, labelled = None, None
        if y is not None:
            target, labels = fit_target(y, rows, classes)
            if readable := readable_of(fitted):
                codes = placed_codes(Coder(readable), columns, but=taken)
                inputs = Inputs(readable, codes, times_ms, season, taken)
                target, labelled = fit_labelled(target, labels, inputs, ordered=ordered, like=like)
        pairs = fit_pairs(fitted, coder, numbers, cycle)
        inflations = fit_inflation(
            fitted + mixtures, coder, numbers, names, pairs, ordered=ordered, cycle=cycle
        )
        profile = cls(
            fitted,
            pairs,
            provisional_outputs(None if y is None else np.asarray(y), classes),
            target,
            rows,
            ordered,
            *inflations,
            labelled,
            mixtures,
            season=season,
        )
        if outputs is not None:
            known = times_ms if times_ms is not None and len(np.asarray(outputs)) == rows else None
            profile = profile.with_outputs(outputs, classes, known)
        return with_policy(profile, read_policy(policy))

    @property
    def is_seasonal(self) -> bool:
        """Whether something is compared by the hour of the day: then event times must be known."""
        return self.compared_by is not None

    @cached_property
    def judged_outputs(self) -> OutputProfile | None:
        """The outputs, without their baseline if that is compared as a whole and the inputs are not.

        What follows from inputs with a daily cycle has one as well, be it seen or not.
        """
        season = None if self.outputs is None else self.outputs.season
        if self.outputs is None or not is_cyclic(self.season) or is_cyclic(season):
            return self.outputs
        return self.outputs.without_baseline()

    @cached_property
    def compared_by(self) -> Season | None:
        """The daily cycle of inputs and outputs; None without one."""
        outputs = None if self.judged_outputs is None else self.judged_outputs.season
        if is_cyclic(self.season) and is_cyclic(outputs):
            return self.season.joined(outputs)
        return next((each for each in (self.season, outputs) if is_cyclic(each)), None)

    def with_outputs(self, outputs: Any, classes: Sequence[object] | None = None, times: Any = None) -> Self:
        """Return the profile with `outputs` as the baseline of what the model says.

        Parameters
        ----------
        outputs
            (k,) values or labels, or (k, classes) probabilities, in the order in which they came if the
            profile is ordered.
        classes
            In the order of the probabilities.
        times
            Event times (k,) of these rows, as :meth:`fit` takes them. If inputs have a daily cycle, outputs
            are compared with those of the same hours; without times, or if these cover less than three whole
            days, this is no baseline, and one follows from live rows.
        """
        values = np.asarray(outputs)
        fitted = fit_outputs(values, classes)
        return replace(self, outputs=fit_baseline(fitted, values, times, self.season, ordered=self.ordered))

    def with_live_outputs(
        self, blocks: np.ndarray, by_part: np.ndarray | None = None, mixes: np.ndarray | None = None
    ) -> Self:
        """Return the profile with a baseline of outputs from live rows.

        Its layout stays, so that summaries made before and after can be added.

        Parameters
        ----------
        blocks
            (b, bins) int64, counts of consecutive runs of live rows.
        by_part
            (parts, bins) int64, counts by the parts of the day of :attr:`season`, in units of 1 / 1,024 rows;
            None: outputs are compared as a whole.
        mixes
            (b, parts) weights of the parts in each run, which sum to 1.
        """
        if self.outputs is None:
            raise ProfileError("a profile that knows nothing of outputs; fit it with y, classes or outputs")
        return replace(self, outputs=self.outputs.with_live(blocks, by_part, mixes))

    def of_version(self, version: str) -> Self:
        """Return the profile with `version` as that whose rows told its cycle, unless they were another's."""
        if self.season is None or self.season.level_rows:
            return self
        return replace(self, season=replace(self.season, origin=version))

    def of_labels(self, name: str = "target") -> Profile | None:
        """Return the reference of labelled rows; None without a target, or with one that is of no use.

        That is one which is compared as a whole, where inputs have a daily cycle.

        Its columns are the target, called `name`, and every readable column given each class, called
        ``COLUMN|CLASS``. A labelled row counts in the first and in those of its own class. What was chosen
        for a column holds for it given each class as well.
        """
        found = self.labelled
        season = None if found is None or not is_cyclic(found.season) else found.season.renamed(name)
        if self.target is None or (is_cyclic(self.season) and season is None):
            return None
        target, unknown = replace(self.target, name=name), np.empty(0)
        factor, blocks = (unknown, unknown) if found is None else (found.factor, found.blocks)
        columns = (target,) if found is None else found.columns(target, self.readable)
        none = PairProfile(*(np.empty(0, np.int64) for _ in PairProfile.__slots__))
        classes = () if found is None else found.classes
        policy = policy_given(self.policy, self.readable, classes)
        inflation = factor, blocks, unknown, unknown
        fixed = self.rows, self.ordered, *inflation
        return Profile(columns, none, None, None, *fixed, policy=policy, season=season)

    def summarize(self, columns: Columns, outputs: np.ndarray | None = None) -> Summary:
        """Return the summary of some rows.

        Parameters
        ----------
        columns
            The profile's columns (others are ignored), as :func:`as_columns` makes them, (n,) each.
        outputs
            What was answered: (n,) or (n, classes); None, or a profile without outputs: not counted.

        Raises
        ------
        ProfileError
            If a column is absent or of another type.
        """
        numbers, names, rows = self._coder.codes(columns)
        counts = self._coder.count(numbers, names)
        pairs, apart = self._pair_products.of(numbers)
        output_rows, output_counts = 0, self._no_outputs
        if outputs is not None and self.outputs is not None and self._output_coder is not None:
            scores, labels, output_rows = self._output_coder.codes(
                self.outputs.columns_of(np.asarray(outputs))
            )
            output_counts = self._output_coder.count(scores, labels)
        return Summary(self.layout, rows, counts, pairs, apart, output_rows, output_counts)

    def empty(self) -> Summary:
        """Return the summary of no rows, the zero of addition."""
        counts, pairs = np.zeros(self._coder.bins, np.int64), np.zeros(len(self.pairs), np.int64)
        return Summary(self.layout, 0, counts, pairs, none_apart(pairs), 0, self._no_outputs.copy())

    def to_bytes(self) -> bytes:
        """Return the profile as canonical JSON: equal profiles are equal bytes."""
        return write_profile(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the profile of :meth:`to_bytes`.

        Raises
        ------
        ProfileError
            If `data` is no profile, or of a newer format.
        """
        profile = cls(**read_fields(data))
        check_shapes(profile)
        return profile

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of :meth:`to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def layout(self) -> str:
        """Name of the bins: equal for profiles whose summaries can be added."""
        outputs = [] if self.outputs is None else [_bins(column) for column in self.outputs.columns]
        parts = [
            [_bins(column) for column in self.columns],
            [column.counts.tolist() for column in self.columns],  # the grid of ranks depends on them
            [self.pairs.first.tolist(), self.pairs.second.tolist()],
            outputs,
        ]
        if self.mixtures:
            parts.append([[_bins(column), column.counts.tolist()] for column in self.mixtures])
        if self.season is not None and self.season.parts:
            parts.append([self.season.to_dict()])  # ranks are taken without it
        return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:12]

    @cached_property
    def _coder(self) -> Coder:
        return Coder(self.watched)

    @cached_property
    def _output_coder(self) -> Coder | None:
        return None if self.outputs is None else Coder(self.outputs.columns)

    @cached_property
    def _no_outputs(self) -> np.ndarray:
        return np.zeros(0 if self._output_coder is None else self._output_coder.bins, np.int64)

    @cached_property
    def _pair_products(self) -> PairProducts:
        return PairProducts(self.columns, self.pairs, self._coder)


def _bins(column: ColumnProfile) -> list[Any]:
    return [column.name, column.edges.tolist(), column.levels, column.seen.tolist(), column.knows_unseen]
