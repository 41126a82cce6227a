"""What an operator's tools need: rules and a scrape configuration for Prometheus, a dashboard for Grafana.

Rules and dashboard are files of this package, to be copied and edited; the rest follows from a deployment's
name and where its roles run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import yaml

from streamapp.errors import ConfigError
from streamapp.settings import ROLES, WEB_PORT
from streamapp.topics import check_name

__all__ = ["RULES_FILE", "dashboard", "rules", "scrape_config"]

RULES_FILE = "streamapp-rules.yml"
"""Where the scrape configuration looks for the rules."""


def rules() -> str:
    """Return recording and alerting rules for all deployments, as YAML."""
    return _text("rules.yml")


def dashboard() -> str:
    """Return a dashboard for Grafana 10 or newer, as JSON; data source and deployment are its variables."""
    return _text("dashboard.json")


def scrape_config(
    name: str,
    *,
    hosts: Sequence[str] = ("localhost",),
    web_port: int | None = None,
    gateways: Sequence[str] = (),
    gateway_token_file: str | None = None,
) -> str:
    """Return a configuration of Prometheus that scrapes the processes of a deployment, as YAML.

    Parameters
    ----------
    name
        Of the deployment.
    hosts
        Names or addresses of the machines that run its three roles, ROLE=HOST for one that runs this role, or
        ROLE=HOST:PORT where it has another web port there.
    web_port
        As given to ``run``: that of score, the others follow. None: where they are unless told otherwise.
    gateways
        Where gateways listen, HOST:PORT. They are a job of their own: only they may ask for a token.
    gateway_token_file
        Where Prometheus finds that token, from the folder of its configuration.

    Raises
    ------
    ConfigError
        If `name` cannot be the name of a deployment, or a host is of a role that there is not, or has a port
        and no role.

    Examples
    --------
    >>> print(scrape_config("bikes", hosts=["ml-1"]).partition("scrape_configs:")[2])
    <BLANKLINE>
    - job_name: streamapp-bikes
      static_configs:
      - targets: ['ml-1:6066']
        labels: {deployment: bikes, role: score}
      - targets: ['ml-1:6067']
        labels: {deployment: bikes, role: monitor}
      - targets: ['ml-1:6068']
        labels: {deployment: bikes, role: train}
    <BLANKLINE>
    """
    check_name(name)
    targets = [
        {
            "targets": [_target(host, port) for host in machines],
            "labels": {"deployment": name, "role": role},
        }
        for port, (role, machines) in enumerate(
            _by_role(hosts).items(), WEB_PORT if web_port is None else web_port
        )
        if machines
    ]
    jobs: list[dict[str, Any]] = [{"job_name": f"streamapp-{name}", "static_configs": targets}]
    if gateways:
        gateway = {"targets": list(gateways), "labels": {"deployment": name, "role": "gateway"}}
        job: dict[str, Any] = {"job_name": f"streamapp-{name}-gateway"}
        if gateway_token_file is not None:
            job["authorization"] = {"credentials_file": gateway_token_file}
        jobs.append({**job, "static_configs": [gateway]})
    fields = {"rule_files": [RULES_FILE], "scrape_configs": jobs}
    return _HEAD.format(name=name) + yaml.safe_dump(fields, sort_keys=False, default_flow_style=None)


def _by_role(hosts: Sequence[str]) -> dict[str, list[str]]:
    """Return the hosts of each role, in the order of :data:`ROLES`."""
    found: dict[str, list[str]] = {role: [] for role in ROLES}
    for each in hosts:
        role, is_of_one, host = each.partition("=")
        if not is_of_one:
            if _has_port(each):
                raise ConfigError(f"host {each}: a port is that of one role: write ROLE={each}")
            for machines in found.values():
                machines.append(each)
        elif role in found and host:
            found[role].append(host)
        else:
            raise ConfigError(
                f"host {each}: must be HOST, or ROLE=HOST or ROLE=HOST:PORT with one of the roles "
                f"{', '.join(ROLES)}"
            )
    return found


def _target(host: str, port: int) -> str:
    """Return HOST:PORT, with the port that is in `host` if there is one."""
    if _has_port(host):
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _has_port(host: str) -> bool:
    """Return whether a port follows: after a name, or after an address of IPv6 in brackets."""
    return re.fullmatch(r"(\[.+\]|[^:]+):\d+", host) is not None


def _text(file: str) -> str:
    return (files(__package__) / file).read_text(encoding="utf-8")


_HEAD = """\
# Prometheus configuration for the deployment {name}, from `streamapp metrics scrape {name}`.
# The rules lie beside it: `streamapp metrics rules > streamapp-rules.yml`.
# Roles listen on 127.0.0.1 unless STREAMAPP_WEB_BIND says otherwise. A gateway that asks for a token asks
# Prometheus, too: `--gateway-token-file FILE`.
"""
