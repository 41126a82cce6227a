from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.errors import IntegrityError
from streamapp.models import Keys
from streamapp.runtime.champion import load_verified
from streamapp.settings import Settings
from tests.integration.conftest import make_bundle


def test_a_record_names_the_version_that_lies_there(tmp_path: Path) -> None:
    """Else a pointer to one version would serve another, whose hash the record gives."""
    bundle, settings = make_bundle(), Settings.of(name="it", keys=tmp_path / "keys")
    record = bundle.record(bundle.save(tmp_path / "b", key=Keys(settings.keys).local()[0]), "champion")
    assert load_verified(record, settings).version == bundle.version
    other = record.model_copy(update={"version": "0123456789ab\x1b[2J"})
    with pytest.raises(IntegrityError, match=f"this is version {bundle.version}, and 0123456789ab") as caught:
        load_verified(other, settings)
    assert str(caught.value).isprintable()
