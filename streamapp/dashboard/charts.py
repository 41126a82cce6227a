"""Options of the charts (Apache ECharts), made from the view; colours are those of the style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamapp.dashboard.view import Accuracy, Bars, Traffic
from streamapp.dashboard.words import when
from streamapp.messages import format_time

__all__ = ["accuracy_chart", "bars_chart", "latency_chart", "traffic_chart"]

Options = dict[str, Any]

_INK, _FAINT, _LINE = "var(--ink)", "var(--faint)", "var(--line)"
_NOW, _THEN, _BAD = "var(--now)", "var(--then)", "var(--bad)"
_FONT = {"color": _INK, "fontSize": 12}


def traffic_chart(traffic: Traffic) -> Options:
    """Return requests a second over time, those that were rejected on top."""
    points = traffic.points
    series = [_area("answered", [point.answered for point in points], _NOW)]
    if any(point.rejected for point in points):
        series.append(_area("rejected", [point.rejected for point in points], _BAD))
    return _over_time(traffic, series)


def latency_chart(traffic: Traffic) -> Options:
    """Return median and 99th percentile of latency over time, milliseconds."""
    pairs = [point.latency_ms or (None, None) for point in traffic.points]
    halves, mosts = [half for half, _ in pairs], [most for _, most in pairs]
    return _over_time(traffic, [_line("99 % within", mosts, _THEN), _line("half within", halves, _NOW)])


def accuracy_chart(accuracy: Accuracy) -> Options:
    """Return the windows with their intervals, and the line of the holdout.

    Early windows are hollow: their labels have not all come.
    """
    scale = 100.0 if accuracy.is_share else 1.0
    windows = accuracy.windows
    lows = [round(scale * window.low, 3) for window in windows]
    highs = [round(scale * window.high, 3) for window in windows]
    series: list[Options] = [
        # The interval is the area between two invisible lines: one up to its lower bound, the other on it.
        _bound("lower bound", lows),
        _bound(
            "interval", [round(high - low, 3) for low, high in zip(lows, highs, strict=True)], filled=True
        ),
        {
            "name": accuracy.measure,
            "type": "line",
            "data": [
                {
                    "value": round(scale * window.mean, 3),
                    "symbol": "circle" if window.is_mature else "emptyCircle",
                }
                for window in windows
            ],
            "symbolSize": 9,
            "lineStyle": {"color": _NOW, "width": 2},
            "itemStyle": {"color": _NOW},
        },
    ]
    if accuracy.on_holdout is not None:
        level = round(scale * accuracy.on_holdout, 3)
        series.append(
            {
                "name": "on the holdout",
                "type": "line",
                "data": [level] * len(windows),
                "symbol": "none",
                "lineStyle": {"color": _THEN, "type": "dashed", "width": 2},
                "itemStyle": {"color": _THEN},
            }
        )
    options = _frame([when(window.to_ms)[5:16] for window in windows], series)
    if accuracy.is_share:
        options["yAxis"]["axisLabel"]["formatter"] = "{value} %"
    options["yAxis"]["scale"] = True  # a few percent are much: the axis need not begin at 0
    return options


def bars_chart(found: Bars) -> Options:
    """Return the shares of a distribution then and now, in percent."""
    options = _frame(
        list(found.labels),
        [_bar("reference", found.then, _THEN), _bar("now", found.now, _NOW)],
    )
    options["grid"] |= {"top": 8, "bottom": 4}
    return options


def _over_time(traffic: Traffic, series: list[Options]) -> Options:
    # A day of minutes, or some minutes of seconds: what of the time is worth saying.
    cut = slice(11, 16) if traffic.width_s >= 60 else slice(11, 19)
    options = _frame([format_time(point.at_ms)[cut] for point in traffic.points], series)
    options["grid"]["right"] = 28  # half of a time that stands under one of the last points
    return options


def _frame(labels: list[str], series: list[Options]) -> Options:
    return {
        "animation": False,
        "textStyle": _FONT,
        "grid": {"left": 4, "right": 12, "top": 12, "bottom": 4, "containLabel": True},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "backgroundColor": "var(--card)",
            "borderColor": _LINE,
            "textStyle": _FONT,
        },
        "xAxis": {
            "type": "category",
            "data": labels,
            "axisLabel": {
                "color": _FAINT,
                "hideOverlap": True,
                "width": 90,
                "overflow": "truncate",
                "alignMinLabel": "left",
                "alignMaxLabel": "right",
            },
            "axisLine": {"lineStyle": {"color": _LINE}},
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "axisLabel": {"color": _FAINT},
            "splitLine": {"lineStyle": {"color": _LINE}},
            "splitNumber": 3,
        },
        "series": series,
    }


def _line(name: str, values: Sequence[float | None], colour: str) -> Options:
    return {
        "name": name,
        "type": "line",
        "data": list(values),
        "symbol": "none",
        "lineStyle": {"color": colour, "width": 1.5},
        "itemStyle": {"color": colour},
    }


def _area(name: str, values: Sequence[float], colour: str) -> Options:
    area = {"color": colour, "opacity": 0.25}
    return _line(name, values, colour) | {"stack": "requests", "areaStyle": area}


def _bound(name: str, values: Sequence[float], *, filled: bool = False) -> Options:
    return {
        "name": name,
        "type": "line",
        "stack": "interval",
        "data": list(values),
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "itemStyle": {"color": _NOW},
        "areaStyle": {"color": _NOW, "opacity": 0.2 if filled else 0},
        "tooltip": {"show": False},
    }


def _bar(name: str, values: Sequence[float], colour: str) -> Options:
    return {
        "name": name,
        "type": "bar",
        "data": list(values),
        "itemStyle": {"color": colour},
        "barGap": "0%",
        "barCategoryGap": "20%",
    }
