"""What a page of metrics holds, read as Prometheus would."""

from __future__ import annotations

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["labels_of", "names_of"]

_SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}


def names_of(page: str) -> set[str]:
    """Names of all samples that can stand on a page, also of metrics without one yet."""
    return {
        family.name + suffix
        for family in text_string_to_metric_families(page)
        if not family.name.endswith("_created")  # stands beside a counter that has a value
        for suffix in _SUFFIXES.get(family.type, [""])
    }


def labels_of(page: str) -> dict[tuple[str, str], set[str]]:
    """Values by the names of metric and label."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            for name, value in sample.labels.items():
                found[sample.name, name].add(value)
    return found
