from __future__ import annotations

import pytest

from streamapp.errors import ConfigError
from streamapp.models import Store, expand_url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("s3://key:hunter2@bucket/x", "store s3://…@bucket/x: a URL is published"),
        ("sftp://me:hunter2@host/x", "must not hold passwords"),
        ("https://host/x?X-Amz-Signature=hunter2", "store https://host/x: a URL is published"),
        ("https://:hunter2@host/x", "must not hold passwords"),
        ("reference::http://host/list.json", "write one kind of store and a path"),
        ("simplecache::s3://bucket/x", "write one kind of store and a path"),
        ("zip://x::https://me:hunter2@host/a.zip", "write one kind of store and a path"),
        ("../x://y", "write one kind of store and a path"),
    ],
)  # fmt: skip
def test_what_a_url_must_not_hold_is_refused_and_not_shown(url: str, says: str) -> None:
    for act in (expand_url, Store):
        with pytest.raises(ConfigError, match=says) as caught:
            act(url)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["s3://bucket/a b/ü", "sftp://me@host:22/x", "gs://bucket", "/a::b?c"])
def test_plain_urls_are_kept(url: str) -> None:
    assert expand_url(url).endswith(url)
