from __future__ import annotations

import re
from pathlib import Path

import pytest

from streamapp.runtime.acls import ACCESS, Acl, acls
from streamapp.settings import ROLES
from streamapp.topics import CHANGELOGS, TOPICS, TopicNames

NAMES = TopicNames("bikes")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def topics(who: str, operation: str) -> set[str]:
    return {acl.name for acl in acls(NAMES, who) if acl.resource == "topic" and acl.operation == operation}


@pytest.mark.parametrize("who", ACCESS)
def test_only_what_is_the_deployment_s_is_named_and_once(who: str) -> None:
    changelogs = {NAMES.changelog(c.role, c.table) for c in CHANGELOGS}
    groups = {NAMES.app_id(role) for role in ROLES}
    transactions = {"bikes-redrive"} if who == "operator" else set()
    found = acls(NAMES, who)
    assert len(set(found)) == len(found)
    assert {acl.name for acl in found if acl.resource == "topic"} <= {*NAMES, *changelogs}
    assert {acl.name for acl in found if acl.resource == "group"} <= groups
    assert {acl.name for acl in found if acl.resource == "transactional-id"} == transactions


@pytest.mark.parametrize("role", ROLES)
def test_a_role_sees_all_topics_and_is_in_its_own_group_alone(role: str) -> None:
    seen = topics(role, "Read") | topics(role, "Write") | topics(role, "Alter") | topics(role, "Describe")
    assert seen >= set(NAMES)
    assert [acl for acl in acls(NAMES, role) if acl.resource == "group"] == [
        Acl("group", f"bikes-{role}", "Read")
    ]
    for other in set(ROLES) - {role}:
        assert not any(f"bikes-{other}" in acl.name for acl in acls(NAMES, role))


def test_who_asks_cannot_write_answers_nor_who_answers_requests() -> None:
    assert topics("client", "Write") == {NAMES.requests, NAMES.feedback}
    assert NAMES.requests not in topics("score", "Write")
    assert not topics("reviewer", "Write") & {NAMES.models, NAMES.requests}


def test_who_deploys_can_create_all_topics() -> None:
    created = topics("operator", "Create")
    assert created == {*NAMES, *(NAMES.changelog(c.role, c.table) for c in CHANGELOGS)}
    assert topics("operator", "Alter") == set()


def test_who_looks_how_many_requests_wait_cannot_read_them() -> None:
    assert topics("viewer", "Describe") == {NAMES.requests}
    assert NAMES.requests not in topics("viewer", "Read")
    assert topics("viewer", "Write") == set()


def test_the_readme_has_the_same_table() -> None:
    section = README.partition("### Securing connections")[2].partition("\n## ")[0]
    everything = {topic.name for topic in TOPICS}
    for who, access in ACCESS.items():
        (row,) = re.findall(rf"^\| {who}\b.*", section, re.MULTILINE)
        _, _, reads, writes, besides, _ = row.split("|")
        shown = [{each.strip() for each in cell.split(",")} & everything for cell in (reads, writes)]
        if who == "operator":
            assert reads.strip() == "all topics"
            shown[0] = everything
        assert shown == [set(access.reads), set(access.writes)]
        assert all(f"Describe on {topic}" in besides for topic in access.looks_at)


def test_it_agrees_with_what_the_topics_say_of_themselves() -> None:
    for topic in TOPICS:
        assert topic.reader is None or topic.name in ACCESS[topic.reader].reads
        assert not topic.written or any(topic.name in ACCESS[who].writes for who in (*ROLES, "operator"))
