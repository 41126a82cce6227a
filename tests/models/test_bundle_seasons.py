from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from streamapp.errors import SignatureError
from streamapp.models import Bundle
from streamapp.profile.season import Season


def test_dates_tell_of_a_daily_cycle_and_numbers_do_not() -> None:
    rng = np.random.default_rng(0)
    times = pd.date_range("2011-01-01", periods=2_400, freq="10min")
    X = pd.DataFrame({"temp": np.sin(times.hour / 24 * 2 * np.pi) + rng.normal(size=2_400)})
    X["wind"] = rng.normal(size=2_400)
    model = LinearRegression().fit(X, X.temp)
    bundle = Bundle.create(model, X, X.temp, name="m", time=times)
    assert bundle.profile.season is not None
    assert bundle.profile.season.columns == ("temp",)
    loaded = Bundle.create(model, X, X.temp, name="m", like=bundle, time=times.to_numpy()).profile
    assert loaded.digest == bundle.profile.digest
    assert Bundle.create(model, X, X.temp, name="m", time=np.arange(2_400)).profile.season is None


def test_the_times_of_a_holdout_tell_the_daily_cycle_of_outputs() -> None:
    rng = np.random.default_rng(0)
    times = pd.date_range("2011-01-01", periods=3_600, freq="10min")
    X = pd.DataFrame({"temp": np.sin(times.hour / 24 * 2 * np.pi) + rng.normal(size=3_600)})
    model = LinearRegression().fit(X, X.temp)

    def season(*held: Any) -> Season | None:
        bundle = Bundle.create(model, X[:2_400], X.temp[:2_400], name="m", time=times[:2_400], holdout=held)
        assert bundle.profile.outputs is not None
        return bundle.profile.outputs.season

    rows, late = (X[2_400:], X.temp[2_400:]), times[2_400:]
    found = season(*rows, late)
    assert found is not None
    assert (found.parts, found.columns) == (24, ("prediction",))
    shuffled = rng.permutation(1_200)
    again = season(rows[0].iloc[shuffled], rows[1].iloc[shuffled], late[shuffled])
    assert again is not None
    assert again.to_dict() == found.to_dict()
    assert season(*rows) is None
    short = season(rows[0][:400], rows[1][:400], late[:400])
    assert short is not None
    assert short.why_not == "it covers 2.8 days, and a daily cycle needs 3 whole ones"
    with pytest.raises(SignatureError, match="1200 rows and 5 values of the holdout's time"):
        season(*rows, late[:5])
