from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from streamapp.errors import TrainingError
from streamapp.messages import Model, Retrain
from streamapp.models import Bundle
from streamapp.training import train
from streamapp.training.privacy import turned_off

from .conftest import MakeJob, frame_of, pack_champion

CHAMPION = Model(
    version="v1", state="champion", bundle="u", sha256="s", format="joblib",
    personal=["age", "city", "name"], withheld=["age", "city"],
)  # fmt: skip


def test_reasons_are_dropped_by_one_decision_and_a_user_is_answered_each_time() -> None:
    events = [
        Retrain(id="a", reason="accuracy", caused_by="alert"),
        Retrain(id="u", reason="user"),
        Retrain(id="s", reason="schedule"),
    ]
    user, others = turned_off(events, CHAMPION, 5)
    assert (user.events, others.events) == (["u"], ["a", "s"])
    assert (others.outcome, others.caused_by, others.at) == ("dropped", "alert", 5)
    assert others.reason == user.reason
    assert "needs the personal columns age, city, which answers do not show" in others.reason
    (again,) = turned_off([Retrain(id="later", reason="input")], CHAMPION, 9)
    assert again.id == others.id
    (asked,) = turned_off([Retrain(id="w", reason="user")], CHAMPION, 9)
    assert asked.id not in {user.id, others.id}
    (other,) = turned_off(events[:1], CHAMPION.model_copy(update={"version": "v2"}), 9)
    assert other.id != others.id
    assert turned_off([], CHAMPION, 9) == []


def test_no_training_runs_on_rows_without_what_the_champion_needs(make_job: MakeJob, home: Path) -> None:
    X, y = frame_of(300, seed=1)
    model = LogisticRegression().fit(X[["temp"]], y)
    others = {"personal": ["weather"], "holdout": frame_of(100, seed=2)}
    # Rows may have columns that are no inputs: these are left out as ever.
    trained = train(make_job(bundle=pack_champion(model, X, y, home, **others)))
    assert Bundle.inspect(trained.model.bundle, trust=home / "keys").signature.personal == ("weather",)
    assert (trained.model.personal, trained.model.withheld) == (["weather"], [])
    private = pack_champion(model, X, y, home, personal=["temp"])
    with pytest.raises(TrainingError, match="needs the personal columns temp"):
        train(make_job(bundle=private))
