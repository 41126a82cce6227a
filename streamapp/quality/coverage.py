"""How many answers have a label, and how long labels take: what accuracy is to be read with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamapp.models.losses import Floats

__all__ = ["Coverage"]

_AGE_LEVELS = (0.5, 0.9, 0.99)
_TRIM = 0.05


@dataclass(frozen=True, slots=True)
class Coverage:
    """The labelled share of the requests from which labelled rows come.

    Attributes
    ----------
    ratio
        Labelled requests per request, over all partitions.
    by_partition
        The same for each partition.
    label_age_ms
        Quantiles .5, .9 and .99 of label time minus request time.

    Notes
    -----
    Every request is answered, so offsets count answers, rejections among them. The requests looked at are,
    in each partition, those between the 5 % and the 95 % quantile of the labelled offsets: one label that
    came a month late must not add a month of requests. A ratio below 1 means that the accuracy beside it
    speaks of the labelled rows alone: early labels are seldom a fair sample.
    """

    ratio: float
    by_partition: dict[int, float]
    label_age_ms: tuple[float, float, float]

    @classmethod
    def of(cls, partitions: Floats, offsets: Floats, ages_ms: Floats) -> Coverage:
        """Return the coverage of labelled rows by partition, request offset and label age, (n,) each, n ≥ 1.

        Examples
        --------
        >>> ones = np.ones(3)
        >>> Coverage.of(0 * ones, np.array([10.0, 12.0, 14.0]), 60_000 * ones).by_partition
        {0: 0.6}
        """
        by_partition = {}
        labelled = spanned = 0
        for partition in np.unique(partitions):
            own = np.unique(offsets[partitions == partition])  # a request can have several rows
            cut = int(len(own) * _TRIM)
            own = own[cut : len(own) - cut]
            requests = int(own[-1] - own[0]) + 1
            by_partition[int(partition)] = len(own) / requests
            labelled += len(own)
            spanned += requests
        median, late, latest = np.quantile(ages_ms, _AGE_LEVELS).tolist()
        return cls(labelled / spanned, by_partition, (median, late, latest))
