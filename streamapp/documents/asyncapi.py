"""The AsyncAPI document: the topics of a deployment, what lies in them, and who writes and reads them.

It speaks from streamapp's side, as the specification (AsyncAPI 3.1.0) asks: streamapp receives requests and
sends predictions, so a client does the opposite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from streamapp import __version__
from streamapp.documents.deployment import Deployment
from streamapp.documents.draft7 import as_components
from streamapp.documents.headers import dead_letter_headers, event_headers_schema, user_headers
from streamapp.messages import MESSAGES
from streamapp.messages.schemas import Schema
from streamapp.runtime.topic_plans import TopicPlan, topic_plans
from streamapp.settings import Settings
from streamapp.topics import TOPICS, Topic, TopicNames

__all__ = ["ASYNCAPI", "asyncapi"]

ASYNCAPI = "asyncapi.yaml"
"""File name of the document."""

_BINDING = {"bindingVersion": "0.5.0"}
_DEAD_LETTER = "dead-letter"
_REPLIES = frozenset(topic.reply for topic in TOPICS)

_ABOUT = """\
Serve a machine-learned model on Kafka, know when it stops being right, and replace it safely.

Operations are streamapp's own: what it receives, clients write; what it sends, clients read.
"""


def asyncapi(schemas: Mapping[str, Schema], deployment: Deployment | None = None) -> str:
    """Return the document as YAML.

    Parameters
    ----------
    schemas
        Of every message type, by name.
    deployment
        Whose topics are meant; None for those of any: then the name is a parameter of all addresses.
    """
    examples: dict[str, Any] = {}
    document: dict[str, Any] = {"asyncapi": "3.1.0"}
    components: dict[str, Any] = {}
    if deployment is None:
        document["info"] = _info("streamapp", __version__, _ABOUT)
        components["parameters"] = {"name": {"description": "Name of the deployment."}}
        name = None
    else:
        name, bundle = deployment.settings.name, deployment.bundle
        document["id"] = f"urn:streamapp:{name}"
        about = f"{_ABOUT}\nColumns and classes are those of model {bundle.version}, the champion.\n"
        document["info"] = _info(name, f"{__version__}+{bundle.version}", about)
        document["servers"] = _servers(deployment.settings)
        examples["request"] = {"id": "r-1", "features": bundle.golden.rows[0]}
    components["messages"] = {
        message: _message(message, topic, name, examples.get(message))
        for topic in TOPICS
        for message in _messages(topic)
    }
    plans = _plans(deployment)
    document |= {
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, plans[topic.name], deployment) for topic in TOPICS},
        "operations": {key: operation for topic in TOPICS for key, operation in _operations(topic, name)},
        "components": components | {"schemas": as_components(schemas)},
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes what occurs twice twice, as not all readers take YAML's aliases, and paragraphs as they are."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def _servers(settings: Settings) -> dict[str, Any]:
    """Return the brokers, and how they let somebody in; who that is is not the document's to say."""
    protocol = settings.security_protocol
    server: dict[str, Any] = {"protocol": "kafka-secure" if protocol.endswith("SSL") else "kafka"}
    if protocol.startswith("SASL_"):
        kinds = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}
        server["security"] = [{"type": kinds[settings.sasl_mechanism]}]
    elif settings.ssl_certfile is not None:
        server["security"] = [{"type": "X509"}]
    hosts = settings.bootstrap.split(",")
    return {f"broker-{i}": {"host": host, **server} for i, host in enumerate(hosts, start=1)}


def _info(title: str, version: str, description: str) -> dict[str, Any]:
    licence = {"name": "Apache-2.0"}
    return {"title": title, "version": version, "description": description, "license": licence}


def _plans(deployment: Deployment | None) -> dict[str, TopicPlan]:
    """Return the plan of each topic, by what follows the deployment's name; without one, by the defaults."""
    if deployment is None:
        defaults = {
            key: Settings.model_fields[key].default for key in ("label_horizon_s", "max_request_bytes")
        }
        plans = topic_plans(TopicNames("name"), **defaults)
    else:
        settings = deployment.settings
        plans = topic_plans(
            settings.topics,
            label_horizon_s=settings.label_horizon_s,
            max_request_bytes=settings.max_request_bytes,
        )
    return {plan.topic.partition(".")[2]: plan for plan in plans}


def _messages(topic: Topic) -> tuple[str, ...]:
    return topic.messages or (_DEAD_LETTER,)


def _channel(topic: Topic, plan: TopicPlan, deployment: Deployment | None) -> dict[str, Any]:
    channel: dict[str, Any] = {"description": topic.summary}
    kafka: dict[str, Any] = {}
    if deployment is None:
        channel["address"] = f"{{name}}.{topic.name}"
        channel["parameters"] = {"name": _reference("parameters", "name")}
        if not plan.partitioned:  # the others have as many as `requests`, which is for the deployment to say
            kafka["partitions"] = 1
    else:
        channel["address"] = kafka["topic"] = plan.topic
        kafka["partitions"] = deployment.partitions[plan.topic]
    kafka["topicConfiguration"] = {key: _configured(key, value) for key, value in plan.config.items()}
    channel["messages"] = {name: _reference("messages", name) for name in _messages(topic)}
    channel["bindings"] = {"kafka": kafka | _BINDING}
    return channel


def _configured(key: str, value: str) -> Any:
    return value.split(",") if key == "cleanup.policy" else int(value)


def _message(name: str, topic: Topic, deployment: str | None, example: Any) -> dict[str, Any]:
    key = {"type": ["string", "null"], "description": topic.key}
    message: dict[str, Any] = {"name": name}
    kind = MESSAGES.get(name)
    if kind is None:
        message |= {"summary": topic.summary, "contentType": "application/octet-stream"}
        message["headers"] = dead_letter_headers()
    else:
        message |= {"summary": (kind.__doc__ or "").partition("\n")[0], "contentType": "application/json"}
        if topic.reader is not None:
            message["headers"] = user_headers(is_request=topic.reply is not None)
        elif kind.ce_type:
            message["headers"] = event_headers_schema(
                kind.ce_type, deployment=deployment, is_answer=topic.name in _REPLIES
            )
        message["payload"] = _reference("schemas", name)
    message["bindings"] = {"kafka": {"key": key} | _BINDING}
    return message | ({"examples": [{"payload": example}]} if example is not None else {})


def _operations(topic: Topic, deployment: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return what streamapp does with a topic, and the names of that."""
    operations = []
    if topic.reader is not None:
        group: Schema = {"type": "string"}
        if deployment is None:
            group["pattern"] = f"^.+-{topic.reader}$"
        else:
            group["const"] = TopicNames(deployment).app_id(topic.reader)
        received = {"action": "receive", **_on_channel(topic)}
        if topic.reply is not None:
            [reply] = [each for each in TOPICS if each.name == topic.reply]
            received["reply"] = _on_channel(reply)
        received["bindings"] = {"kafka": {"groupId": group} | _BINDING}
        operations.append((f"receive-{topic.name}", received))
    if topic.written:
        operations.append((f"send-{topic.name}", {"action": "send", **_on_channel(topic)}))
    return operations


def _on_channel(topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    messages = [{"$ref": f"{channel}/messages/{name}"} for name in _messages(topic)]
    return {"channel": {"$ref": channel}, "messages": messages}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
