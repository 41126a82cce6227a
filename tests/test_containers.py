"""docker-compose.yml keeps to the Compose specification, and says the same as the code."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from streamapp.cli import main
from streamapp.operations import RULES_FILE, rules
from streamapp.runtime.broker.jars import KAFKA_VERSION
from streamapp.settings import ROLES, WEB_PORT, Settings
from tests.containers import DEPLOYMENT, ROOT, dockerfile, environment, mounts, prepare, read_compose

COMPOSE = read_compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: service for name, service in SERVICES.items() if service["image"] == "streamapp"}
LASTING = {name: service for name, service in SERVICES.items() if service["restart"] != "no"}
OF_ROLE = {"score-1": "score", "score-2": "score", "monitor": "monitor", "train": "train"}


@pytest.fixture(scope="module")
def specification() -> Validator:
    """The Compose specification: its schema, as check-jsonschema ships it."""
    schema = get_builtin_schema("vendor.compose-spec")
    return validator_for(schema)(schema)


def unread() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def test_it_keeps_to_the_specification(specification: Validator) -> None:
    specification.validate(unread())
    specification.validate(COMPOSE)
    assert "version" not in COMPOSE


@pytest.mark.parametrize(
    "break_it",
    [
        lambda services: services["train"].update(comand=[]),
        lambda services: services["train"]["build"].update(dockerfile_inline=["FROM scratch"]),
        lambda services: services["gateway"]["depends_on"].update(kafka={"condition": "healthy"}),
        lambda services: services["kafka"]["deploy"]["resources"]["limits"].update(memori="1g"),
        lambda services: services["kafka"]["healthcheck"].update(retries=[3]),
    ],
)
def test_the_specification_refuses_slips(
    specification: Validator, break_it: Callable[[dict[str, Any]], None]
) -> None:
    broken = copy.deepcopy(COMPOSE)
    break_it(broken["services"])
    assert not specification.is_valid(broken)


def test_kafka_is_the_one_of_the_tests_reached_from_inside_and_outside() -> None:
    kafka = SERVICES["kafka"]
    settings = kafka["environment"]
    listeners = dict(one.split("://") for one in settings["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert kafka["ports"] == ["127.0.0.1:9092:9092"]
    assert listeners == {"INTERNAL": "kafka:19092", "HOST": Settings.model_fields["bootstrap"].default}
    assert settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert settings["KAFKA_LOG_DIRS"] in {mount.target for mount in mounts(kafka)}
    assert listeners["HOST"] in kafka["healthcheck"]["test"]
    assert {service["environment"]["STREAMAPP_BOOTSTRAP"] for service in OWN.values()} == {"kafka:19092"}


def options_of(words: list[str]) -> dict[str, Any]:
    """Return what the command takes from `words`; fails where the command line would."""
    command = main.get_command(click.Context(main), words[0])
    assert command is not None, words
    return command.make_context(words[0], words[1:]).params


def test_two_processes_score_and_the_other_roles_have_one() -> None:
    found = {
        name: service["command"] for name, service in OWN.items() if service.get("command", "?")[0] == "run"
    }
    assert {name: options_of(words)["role"] for name, words in found.items()} == OF_ROLE
    assert set(OF_ROLE.values()) == set(ROLES)
    one, other = SERVICES["score-1"], SERVICES["score-2"]
    assert {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)} == {
        "hostname",
        "ports",
    }


@pytest.mark.parametrize("name", OF_ROLE)
def test_each_role_is_a_service(name: str) -> None:
    service, role = SERVICES[name], OF_ROLE[name]
    options = options_of(service["command"])
    port = Settings(name="bikes", role=options["role"], web_port=None).port
    assert (options["name"], options["role"]) == (DEPLOYMENT, role)
    assert service["hostname"] == name, "the member of its group that it was before"
    assert service["restart"] == "unless-stopped"
    assert service["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert service["ports"][0].endswith(f":{port}")
    assert f"http://localhost:{port}/health" in service["healthcheck"]["test"][-1]
    assert {"/store", "/keys"} <= {mount.target for mount in mounts(service)}


def test_commands_in_the_readme_are_taken(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^docker compose run --rm (?:-v \S+ )?(\S+) ([^#\n]*)", readme, re.MULTILINE)
    assert len(lines) >= 3
    for service, words in lines:
        for file in re.findall(r"/work/(\S+)", words):
            (tmp_path / file).touch()
        assert service == "streamapp"
        assert options_of(words.replace("/work/", f"{tmp_path}/").split())["name"] == DEPLOYMENT
    assert set(re.findall(r"docker compose exec (\S+)", readme)) <= LASTING.keys()


@pytest.mark.parametrize("name", ["gateway", "dashboard"])
def test_what_listens_for_others_wants_a_token(name: str) -> None:
    service, setting = SERVICES[name], f"STREAMAPP_{name.upper()}"
    assert service["command"] == [name, DEPLOYMENT]
    options_of(service["command"])
    assert service["environment"][f"{setting}_BIND"] == "0.0.0.0"
    assert service["environment"][f"{setting}_TOKEN_FILE"] == "/config/token"
    port = Settings.model_fields[f"{name}_port"].default
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_gateway_is_asked_whether_it_lives() -> None:
    assert "/v2/health/live" in SERVICES["gateway"]["healthcheck"]["test"][-1]


def test_what_is_prepared_fits_what_runs(tmp_path: Path) -> None:
    compose = read_compose(DEPLOYMENT="flights")
    prepare(compose, tmp_path)
    assert re.fullmatch(r"[0-9a-f]{64}\n", (tmp_path / "token").read_text(encoding="utf-8"))
    assert (tmp_path / RULES_FILE).read_text(encoding="utf-8") == rules()

    roles, gateway = yaml.safe_load((tmp_path / "prometheus.yml").read_text(encoding="utf-8"))[
        "scrape_configs"
    ]
    groups = roles["static_configs"] + gateway["static_configs"]
    assert {group["labels"]["deployment"] for group in groups} == {"flights"}
    found = {target: group["labels"]["role"] for group in groups for target in group["targets"]}
    assert found == {
        f"{name}:{service['ports'][0].split(':')[-1]}": OF_ROLE.get(name, name)
        for name, service in OWN.items()
        if name in {*OF_ROLE, "gateway"}
    }
    assert gateway["authorization"]["credentials_file"] == "token"


def test_prometheus_reads_what_is_prepared() -> None:
    prometheus = SERVICES["prometheus"]
    options = dict(word.removeprefix("--").split("=", 1) for word in prometheus["command"])
    places = {mount.volume: mount.target for mount in mounts(prometheus)}
    written = next(mount for mount in mounts(SERVICES["prepare"]) if not mount.is_read_only)
    assert SERVICES["prepare"]["working_dir"] == written.target
    assert options["config.file"] == f"{places[written.volume]}/prometheus.yml"
    assert options["storage.tsdb.path"] == places["prometheus"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_bounds_and_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] not in {"root", "0", 0}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name != "kafka")
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert not {"privileged", "network_mode", "pid", "cap_add"} & service.keys()


@pytest.mark.parametrize("name", LASTING)
def test_each_service_that_lasts_is_asked_for_its_health(name: str) -> None:
    asked = " ".join(LASTING[name]["healthcheck"]["test"])
    (port,) = re.findall(r"localhost:(\d+)", asked)
    assert port in {published.split(":")[-1] for published in LASTING[name]["ports"]}


def test_ports_are_published_once_and_for_this_machine() -> None:
    published = [each.split(":") for service in SERVICES.values() for each in service.get("ports", ())]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert len({port for _, port, _ in published}) == len(published) >= len(LASTING)
    assert str(WEB_PORT) in {port for _, port, _ in published}


def test_what_is_waited_for_comes() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            match how["condition"]:
                case "service_healthy":
                    assert "healthcheck" in SERVICES[name]
                case "service_completed_successfully":
                    assert SERVICES[name]["restart"] == "no"
                case condition:
                    pytest.fail(f"{name} is waited for until {condition}")


def test_volumes_are_declared_and_written_by_who_must() -> None:
    found = [(name, mount) for name, service in SERVICES.items() for mount in mounts(service)]
    assert {mount.volume for _, mount in found} == COMPOSE["volumes"].keys()
    writers = {
        volume: {name for name, mount in found if mount.volume == volume and not mount.is_read_only}
        for volume in COMPOSE["volumes"]
    }
    assert writers.pop("keys") == {"train", "streamapp"}, "the seal, and the secret of personal columns"
    assert writers.pop("store") == {"train", "streamapp"}
    assert writers.pop("config") == {"prepare"}
    assert writers == {"kafka": {"kafka"}, "state": {"monitor"}, "prometheus": {"prometheus"}}


def test_containers_set_what_can_be_set() -> None:
    named = {name for service in OWN.values() for name in service["environment"]}
    named |= set(re.findall(r"(STREAMAPP_\w+)=", dockerfile(COMPOSE)))
    assert {name.removeprefix("STREAMAPP_").lower() for name in named} <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", sorted(LASTING.keys() & OWN.keys()))
def test_what_a_service_keeps_lies_where_it_can_be_written(name: str, tmp_path: Path) -> None:
    found = environment(COMPOSE, name, tmp_path)
    outside = {key for key, value in found.items() if "/" in value and str(tmp_path) not in value}
    assert outside == set()
    is_kept = name == "monitor"
    assert found["STREAMAPP_STATE_DIR"] == str(tmp_path / ("state" if is_kept else f"{name}/tmp/state"))


def test_the_image_runs_as_nobody_special_with_pinned_packages() -> None:
    image = dockerfile(COMPOSE)
    users = re.findall(r"^USER (?!root|0)(\w+)$", image, re.MULTILINE)
    assert {service["user"] for service in OWN.values()} == set(users)
    assert image.count("pip install") == image.count("-c constraints.txt")
    copied = re.findall(r"^COPY (.*) \S+$", image, re.MULTILINE)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(let_in)
    assert all((ROOT / name).exists() for name in let_in)
    targets = {mount.target for service in OWN.values() for mount in mounts(service)}
    assert set(re.findall(r"/[a-z]+", re.search(r"chown streamapp (.*)$", image, re.MULTILINE)[1])) == targets  # type: ignore[index]


def test_the_image_has_extras_that_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    (always,) = re.findall(r'"\.\[([\w,]+),\$EXTRAS\]"', dockerfile(COMPOSE))
    (chosen,) = {service["build"]["args"]["EXTRAS"] for service in OWN.values()}
    assert set(always.split(",")) | set(chosen.split(",")) <= extras.keys()
    assert {"onnx", "s3"} <= set(chosen.split(","))
    for name in OWN:  # what commands import must be there, whatever is chosen
        assert name not in extras or name in always.split(",")
    wider = read_compose(EXTRAS="tensorflow")["services"]["train"]["build"]["args"]["EXTRAS"]
    assert wider == "tensorflow"
