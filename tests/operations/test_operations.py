"""Rules, scrape configuration and dashboard: they can be read, and speak of what the roles show.

PromQL is parsed and typed by a port of Prometheus's own parser. Where it is installed (it comes in no Python
package), Prometheus's promtool checks whole files, too, and runs the rules on the series of rules_test.yml.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
import yaml
from click.testing import CliRunner
from prometheus_client import generate_latest

from streamapp.cli import main
from streamapp.errors import ConfigError
from streamapp.gateway.middleware import GatewayMetrics
from streamapp.messages import AlertKind
from streamapp.operations import RULES_FILE, dashboard, rules, scrape_config
from streamapp.runtime.metrics import Metrics
from streamapp.settings import ROLES, Role, Settings
from tests.operations.pages import labels_of, names_of

PROMTOOL = shutil.which("promtool")
TARGET_LABELS = {"deployment", "role", "job", "instance"}

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


@pytest.fixture(scope="module")
def parsed_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(rules())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def board() -> Any:
    return json.loads(dashboard())


def queries(board: Any) -> Iterator[str]:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "1m")


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


@pytest.fixture(scope="module")
def expressions(parsed_rules: list[dict[str, Any]], board: Any) -> list[str]:
    return [*(rule["expr"] for rule in parsed_rules), *queries(board)]


def test_every_metric_is_one_that_a_role_shows(
    parsed_rules: list[dict[str, Any]], expressions: list[str]
) -> None:
    recorded = {rule["record"] for rule in parsed_rules if "record" in rule}
    pages = (Metrics().registry, GatewayMetrics(lambda: 0).registry)
    shown = set().union(*(names_of(generate_latest(page).decode()) for page in pages))
    used = {selector.name for expression in expressions for selector in selectors(expression)}
    assert used - shown - recorded == {"up"}
    assert recorded <= used, "what is recorded is used"


@pytest.mark.parametrize("role", ROLES)
def test_the_page_of_each_role_names_them_all(role: Role) -> None:
    pages = (generate_latest(Metrics(each).registry).decode() for each in (role, None))
    assert len(set(map(frozenset, map(names_of, pages)))) == 1


def test_every_label_value_is_one_that_there_is(expressions: list[str]) -> None:
    known = labels_of(generate_latest(Metrics().registry).decode())
    known["streamapp_open_alerts", "kind"] = set(get_args(AlertKind))
    known["streamapp_store_bytes", "store"] = {"join"}
    seen = 0
    for selector in (each for expression in expressions for each in selectors(expression)):
        for matcher in selector.matchers.matchers:
            values = known.get((str(selector.name), matcher.name))
            if values is not None:
                assert set(matcher.value.split("|")) <= values, str(selector)
                seen += 1
    assert seen > 8


def test_alerts_say_how_bad_it_is_and_what_to_do(parsed_rules: list[dict[str, Any]]) -> None:
    alerts = [rule for rule in parsed_rules if "alert" in rule]
    assert len({alert["alert"] for alert in alerts}) == len(alerts) >= 15
    for alert in alerts:
        assert re.fullmatch(r"Streamapp[A-Z]\w+", alert["alert"])
        assert (
            alert["labels"]["severity"] in {"critical", "warning"}
            or "$labels.role" in alert["labels"]["severity"]
        )
        assert alert["annotations"].keys() == {"summary", "description"}
        assert alert["annotations"]["summary"].startswith("{{ $labels.deployment }}: ")


def test_commands_in_the_rules_are_taken(parsed_rules: list[dict[str, Any]]) -> None:
    texts = [alert["annotations"]["description"] for alert in parsed_rules if "alert" in alert]
    lines = [line for text in texts for line in re.findall(r"`(streamapp [^`]*)`", text)]
    assert lines
    for line in lines:
        words = line.replace("{{ $labels.deployment }}", "bikes").split()[1:]
        done = CliRunner().invoke(main, [*words, "--bootstrap", "x", "--help"])
        assert done.exit_code == 0, line


def test_settings_in_the_rules_are_settings() -> None:
    named = set(re.findall(r"STREAMAPP_(\w+)", rules() + scrape_config("bikes")))
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_the_dashboard_can_be_imported_as_it_is(board: Any) -> None:
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in panels:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all("$deployment" in target["expr"] for target in panel["targets"])
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "deployment"]


def test_the_panels_of_the_dashboard_do_not_overlap(board: Any) -> None:
    cells: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in board["panels"]):
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        assert max(x for x, _ in own) < 24
        cells |= own


def test_each_role_is_scraped_on_its_port() -> None:
    found = yaml.safe_load(scrape_config("bikes", hosts=["ml-1", "::1"], web_port=7000))
    (job,) = found["scrape_configs"]
    assert job["job_name"] == "streamapp-bikes"
    assert {one["labels"]["role"]: one["targets"] for one in job["static_configs"]} == {
        role: [f"ml-1:{7000 + i}", f"[::1]:{7000 + i}"] for i, role in enumerate(ROLES)
    }


def test_gateways_are_a_job_of_their_own() -> None:
    roles, gateway = yaml.safe_load(scrape_config("bikes", gateways=["ml-1:8000"]))["scrape_configs"]
    labels = {"deployment": "bikes", "role": "gateway"}
    assert gateway["static_configs"] == [{"targets": ["ml-1:8000"], "labels": labels}]
    assert len(roles["static_configs"]) == len(ROLES)


def test_machines_may_run_one_role() -> None:
    hosts = ["ml-1", "score=ml-2", "score=ml-3", "train=::1"]
    (job,) = yaml.safe_load(scrape_config("bikes", hosts=hosts))["scrape_configs"]
    assert {one["labels"]["role"]: one["targets"] for one in job["static_configs"]} == {
        "score": ["ml-1:6066", "ml-2:6066", "ml-3:6066"],
        "monitor": ["ml-1:6067"],
        "train": ["ml-1:6068", "[::1]:6068"],
    }
    (job,) = yaml.safe_load(scrape_config("bikes", hosts=["train=ml-1"]))["scrape_configs"]
    assert [one["targets"] for one in job["static_configs"]] == [["ml-1:6068"]]


def test_a_process_may_have_another_web_port_than_those_of_its_role() -> None:
    hosts = ["ml-1", "score=ml-1:6166", "score=[::1]:6166", "train=2001:db8::7"]
    (job,) = yaml.safe_load(scrape_config("bikes", hosts=hosts))["scrape_configs"]
    assert [each["targets"] for each in job["static_configs"]] == [
        ["ml-1:6066", "ml-1:6166", "[::1]:6166"],
        ["ml-1:6067"],
        ["ml-1:6068", "[2001:db8::7]:6068"],
    ]
    with pytest.raises(ConfigError, match="host ml-1:6166: a port is that of one role: write ROLE=ml-1:6166"):
        scrape_config("bikes", hosts=["ml-1:6166"])


@pytest.mark.parametrize("host", ["serve=ml-1", "score=", "=ml-1"])
def test_a_host_of_no_role_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=f"host {host}: .*score, monitor, train"):
        scrape_config("bikes", hosts=[host])


def test_the_token_of_gateways_is_told_to_gateways_only() -> None:
    written = scrape_config("bikes", gateways=["ml-1:8000"], gateway_token_file="token")
    roles, gateway = yaml.safe_load(written)["scrape_configs"]
    assert gateway["authorization"] == {"credentials_file": "token"}
    assert "authorization" not in roles


def test_the_command_prints_what_the_package_has() -> None:
    for words, expected in (
        (["rules"], rules()),
        (["grafana"], dashboard()),
        (["scrape", "bikes", "--host", "ml-1"], scrape_config("bikes", hosts=["ml-1"])),
        (
            ["scrape", "bikes", "--gateway", "ml-1:8000", "--gateway-token-file", "token"],
            scrape_config("bikes", gateways=["ml-1:8000"], gateway_token_file="token"),
        ),
    ):
        done = CliRunner().invoke(main, ["metrics", *words])
        assert (done.exit_code, done.output) == (0, expected)


def test_a_name_that_cannot_be_one_is_one_line() -> None:
    done = CliRunner().invoke(main, ["metrics", "scrape", "no name"])
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1


def promtool(*arguments: object, given: str | None = None) -> str:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *map(str, arguments)], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_configuration_rules_and_metrics(tmp_path: Path) -> None:
    (tmp_path / RULES_FILE).write_text(rules(), encoding="utf-8")
    (tmp_path / "prometheus.yml").write_text(
        scrape_config("bikes", gateways=["localhost:8000"], gateway_token_file="token"), encoding="utf-8"
    )
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    promtool("check", "config", tmp_path / "prometheus.yml")
    promtool("check", "metrics", given=generate_latest(Metrics().registry).decode())


@needs_promtool
def test_each_alert_fires_when_it_should_and_not_before(
    tmp_path: Path, parsed_rules: list[dict[str, Any]]
) -> None:
    cases = Path(__file__).with_name("rules_test.yml")
    shutil.copy(cases, tmp_path)
    (tmp_path / RULES_FILE).write_text(rules(), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", tmp_path / cases.name)


def test_each_alert_has_a_case_in_which_it_fires(parsed_rules: list[dict[str, Any]]) -> None:
    tests = yaml.safe_load(Path(__file__).with_name("rules_test.yml").read_text(encoding="utf-8"))["tests"]
    samples = [
        sample for test in tests for query in test["promql_expr_test"] for sample in query["exp_samples"]
    ]
    fired = {name for sample in samples for name in re.findall(r'alertname="(\w+)"', sample["labels"])}
    assert fired == {rule["alert"] for rule in parsed_rules if "alert" in rule}
