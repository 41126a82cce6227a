"""Passwords, certificates and rights: the whole loop with no more than it needs, and lines for what lacks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.cimpl import NewPartitions

from streamapp.cli import main
from streamapp.dashboard.reading import deployments
from streamapp.errors import BrokerError
from streamapp.models import Bundle, Keys
from streamapp.runtime.acls import ACCESS, Acl, acls
from streamapp.runtime.client import partition_counts
from streamapp.runtime.host import EXIT_RETRY
from streamapp.settings import ROLES, Role, Settings
from streamapp.topics import TopicNames
from tests.certificates import Authority
from tests.integration.conftest import Make, draw, making
from tests.integration.deployment import Deployment, Sending
from tests.integration.running import Running, until
from tests.integration.secured import PASSWORD, Secured

Way = Callable[[Secured, str], dict[str, Any]]

ROWS = 400


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with Secured(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture
def make_secured(secured: Secured, tmp_path: Path) -> Iterator[Make]:
    with making(secured.broker, tmp_path) as make_one:
        yield make_one


class Users:
    """The users of a deployment, each with the rights that it needs."""

    def __init__(self, secured: Secured, deployment: Deployment, way: Way) -> None:
        self.secured, self.deployment, self._way = secured, deployment, way
        for who in ACCESS:
            secured.add_users(self.name(who))
            secured.allow(self.name(who), acls(deployment.settings.topics, who))
        self.output = ""

    def name(self, who: str) -> str:
        return f"{self.deployment.name}-{who}"

    def environment(self, who: str) -> dict[str, str]:
        own = {f"STREAMAPP_{k.upper()}": str(v) for k, v in self._way(self.secured, self.name(who)).items()}
        return {**self.deployment.env, **own}

    def run(self, who: str, command: str, *arguments: object, status: int = 0) -> Result:
        """Run a command as one of them, in this process."""
        line = [command, self.deployment.name, *map(str, arguments)]
        result = CliRunner().invoke(main, line, prog_name="streamapp", env=self.environment(who))
        self.output += result.output
        assert result.exit_code == status, result.output
        assert status == 0 or len(result.stderr.splitlines()) == 1, result.stderr
        return result


def saved(bundle: Bundle, deployment: Deployment) -> str:
    """The bundle's folder; its seal is trusted in the deployment."""
    key, _ = Keys(deployment.settings.keys).local()
    return bundle.save(deployment.folder / "bundle", key=key).removeprefix("file://")


def csv_of(folder: Path, rows: int) -> Path:
    X, y = draw(7, rows)
    path = folder / "rows.csv"
    X.assign(label=y).to_csv(path, index=False)
    return path


def looped(users: Users, bundle: Bundle, folder: Path) -> dict[Role, Running]:
    """Deploy, run the roles, ask and give labels, each as its own user; return the roles, which go on."""
    deployment = users.deployment
    users.run("operator", "deploy", saved(bundle, deployment), "--partitions", 3)
    running = {}
    for role in ROLES:
        deployment.env = users.environment(role)
        running[role] = deployment.start(role)
    for each in running.values():
        each.wait_ready()
    users.run("client", "send", csv_of(folder, ROWS), "--label", "label")
    until(lambda: deployment.count("labelled") == ROWS, what="answers joined with their labels")
    assert deployment.count("predictions") == ROWS
    return running


def test_the_whole_loop_by_certificates(
    secured: Secured, make_secured: Make, bundle: Bundle, tmp_path: Path
) -> None:
    deployment = make_secured(pane_seconds=1)
    looped(Users(secured, deployment, Secured.mutual_tls), bundle, tmp_path)


def test_the_whole_loop_by_passwords_with_no_more_rights_than_each_needs(
    secured: Secured, make_secured: Make, bundle: Bundle, tmp_path: Path
) -> None:
    deployment = make_secured(
        pane_seconds=1,
        training_min_rows=100,
        retrain_every_rows=200,
        review_per_hour=100_000,
        no_data_after_s=2,
    )
    users, names = Users(secured, deployment, Secured.sasl_tls), deployment.settings.topics
    running = looped(users, bundle, tmp_path)
    deployment.produce("requests", [Sending(b"{")])
    users.run("operator", "retrain")
    for topic in ("dead-letters", "retrain-events", "drift-alerts", "decisions"):
        until(lambda topic=topic: deployment.count(topic) > 0, what=f"something in {topic}")  # type: ignore[misc]
    assert deployment.values("decisions")[0]["outcome"] == "trained"
    assert users.run("reviewer", "review", "--json").output
    assert bundle.version in users.run("operator", "models").output
    assert "denies" not in users.run("operator", "doctor").output
    assert json.loads(users.run("operator", "redrive", "--json").stdout)["sent"] == {"not-json": 1}

    deployment.env = users.environment("viewer")
    page = deployment.start_dashboard()
    until(
        lambda: all(each in page.page(names.deployment)[1] for each in (bundle.version, "Live, ")),
        what="a page",
    )

    found = Settings.of(name="all", **Secured.sasl_tls(secured, users.name("viewer"))).connection
    assert asyncio.run(deployments(found)) == [names.deployment]

    # What is taken away while it runs ends the role, which is started again by who watches it.
    (write,) = [a for a in acls(names, "score") if (a.operation, a.name) == ("Write", names.predictions)]
    secured.forbid(users.name("score"), write)
    deployment.produce("requests", [Sending(b'{"features": {"temp": 1, "wind": 1}}', key=b"k")])
    assert running["score"].process.wait(30) == EXIT_RETRY
    said = running["score"].log.read_text()
    assert f"the topic {names.predictions} [Error 29]: streamapp acls lists what is needed; exiting" in said

    pages = [each.page(name)[1] for each in running.values() for name in ("health", "ready", "metrics")]
    pages.append(page.page(names.deployment)[1])
    logs = [each.log.read_text() for each in (*running.values(), page)]
    lines = [path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline")]
    for shown in (users.output, *pages, *logs, *lines):
        assert PASSWORD not in shown

    assert f"{names.deployment} is run by" in users.run("owner", "delete", "--yes", status=1).stderr


def test_the_owner_can_delete_all_of_it(secured: Secured, make_secured: Make, bundle: Bundle) -> None:
    users = Users(secured, make_secured(), Secured.sasl)
    users.run("operator", "deploy", saved(bundle, users.deployment))
    users.run("operator", "delete", "--yes", status=1)
    other = TopicNames(f"{users.deployment.name}-other")
    seen = [Acl("topic", topic, "Describe") for topic in (other.models, other.distributions)]
    secured.create(other.models, other.distributions)
    secured.allow(users.name("owner"), seen)
    planned = json.loads(users.run("owner", "delete", "--dry-run", "--bundles", "--json").stdout)
    assert planned["bundles"] == []
    [why] = planned["kept"].values()
    assert why.startswith(f"{other.deployment} may have it, too: Kafka at")
    assert f"denies user {users.name('owner')!r} the topic {other.models}" in why
    for acl in seen:
        secured.forbid(users.name("owner"), acl)
    users.run("owner", "delete", "--yes", "--bundles")
    assert "there is nothing of" in users.run("owner", "delete", "--yes", status=1).stderr


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that the broker does not know."""
    return Authority(tmp_path_factory.mktemp("strangers"), "strangers")


def refused(**settings: Any) -> str:
    connection = Settings.of(name="bikes", **settings).connection
    with pytest.raises(BrokerError) as caught:
        asyncio.run(partition_counts(connection, ["t"]))
    assert PASSWORD not in str(caught.value)
    return str(caught.value).replace(f"Kafka at {settings['bootstrap']} ", "")


def test_each_way_in_is_open(secured: Secured) -> None:
    secured.add_users("alice")
    sasl = secured.sasl("alice")
    for settings in (
        sasl,
        {**secured.sasl("plain"), "sasl_mechanism": "PLAIN"},
        secured.sasl_tls("alice"),
        secured.mutual_tls("alice"),
        {
            **secured.sasl_tls("alice"),
            "bootstrap": f"localhost:{secured.ports['BOTH']}",
            "ssl_check_hostname": False,
        },
    ):
        connection = Settings.of(name="bikes", **settings).connection
        assert asyncio.run(partition_counts(connection, ["t"])) == {}


def test_whoever_is_not_let_in_is_told_why(secured: Secured, strangers: Authority) -> None:
    secured.add_users("alice")
    sasl, both, mutual = secured.sasl("alice"), secured.sasl_tls("alice"), secured.mutual_tls("alice")
    foreign = strangers.issue("alice")
    without = {key: value for key, value in mutual.items() if key not in {"ssl_certfile", "ssl_keyfile"}}
    hangs_up = "set STREAMAPP_SECURITY_PROTOCOL to what it speaks on this port"
    for settings, said in (
        (
            {**sasl, "sasl_password": "wrong"},
            "does not take the password of user 'alice' with SCRAM-SHA-512: "
            "set STREAMAPP_SASL_USERNAME and STREAMAPP_SASL_PASSWORD_FILE as it knows them",
        ),
        ({**both, "sasl_username": "nobody"}, "does not take the password of user 'nobody'"),
        ({**sasl, "sasl_mechanism": "PLAIN"}, "does not take the password of user 'alice' with PLAIN"),
        (
            {**sasl, "sasl_mechanism": "SCRAM-SHA-256"},
            "does not offer SCRAM-SHA-256: set STREAMAPP_SASL",
        ),
        (
            {**sasl, "bootstrap": secured.broker.bootstrap},
            "asks for no password: set STREAMAPP_SECURITY_PROTOCOL to PLAINTEXT",
        ),
        ({**both, "ssl_cafile": strangers.file}, "has a certificate that is not trusted"),
        ({**both, "ssl_cafile": None}, "has a certificate that is not trusted"),
        (
            {**both, "bootstrap": f"localhost:{secured.ports['BOTH']}"},
            "has a certificate of another host (Hostname mismatch, certificate is not valid for 'localhost')"
            ": set STREAMAPP_BOOTSTRAP to a name in it, or STREAMAPP_SSL_CHECK_HOSTNAME=false",
        ),
        (without, "does not take our certificate"),
        (
            {**mutual, "ssl_certfile": foreign.certificate, "ssl_keyfile": foreign.key},
            "does not take our certificate",
        ),
        ({"bootstrap": secured.address("MTLS")}, f"hangs up on PLAINTEXT: {hangs_up}"),
        ({"bootstrap": secured.address("SASL")}, f"hangs up on PLAINTEXT: {hangs_up}"),
        ({**mutual, "bootstrap": secured.broker.bootstrap}, f"hangs up on SSL: {hangs_up}"),
        ({**sasl, "bootstrap": secured.address("BOTH")}, f"hangs up on SASL_PLAINTEXT: {hangs_up}"),
        ({**both, "bootstrap": "127.0.0.1:1"}, "no Kafka broker answers at 127.0.0.1:1"),
    ):
        assert said in refused(**settings)


def test_one_right_less_is_one_line(
    secured: Secured, make_secured: Make, bundle: Bundle, tmp_path: Path
) -> None:
    deployment = make_secured()
    users = Users(secured, deployment, Secured.sasl)
    names, name = deployment.settings.topics, deployment.name

    def said_without(who: str, operation: str, resource: str, *command: object) -> str:
        everything = acls(names, who)
        (missing,) = [a for a in everything if (a.operation, a.name) == (operation, resource)]
        secured.forbid(users.name(who), missing)
        said = users.run(who, *command, status=1).stderr  # type: ignore[arg-type]
        secured.allow(users.name(who), [missing])
        return said

    deploy = ("deploy", saved(bundle, deployment))
    denied = f"denies user '{name}-{{}}' the {{}} {{}} [Error {{}}]: streamapp acls lists what is needed"
    assert denied.format("operator", "topic", names.requests, 29) in said_without(
        "operator", "Create", names.requests, *deploy
    )
    users.run("operator", *deploy)
    send = ("send", csv_of(tmp_path, 10), "--label", "label")
    hidden = f"there is no topic {names.requests} on {secured.address('SASL')}, or hidden from user"
    assert hidden in said_without("client", "Write", names.requests, *send)
    secured.allow(users.name("client"), [Acl("topic", names.requests, "Describe")])
    assert denied.format("client", "topic", names.requests, 29) in said_without(
        "client", "Write", names.requests, *send
    )
    users.run("client", *send)
    score = ("run", "--role", "score", "--web-port", 20_000)
    group = names.app_id("score")
    assert denied.format("score", "group", group, 30) in said_without("score", "Read", group, *score)
    (grown,) = secured.admin.create_partitions([NewPartitions(names.requests, 6)]).values()
    grown.result(30)
    assert denied.format("score", "topic", names.predictions, 29) in said_without(
        "score", "Alter", names.predictions, *score
    )
    assert f"{names.labelled} missing, or hidden from user '{name}-score'" in said_without(
        "score", "Describe", names.labelled, *score
    )
    topics = [names.predictions, names.feedback]
    counts = asyncio.run(partition_counts(secured.broker.connection, topics))
    assert counts == dict.fromkeys(topics, 6)
    assert PASSWORD not in users.output
