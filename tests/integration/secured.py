"""A broker that lets nobody in without a password or a certificate, and then to nothing that is not allowed.

Its plain listener is the tests' own: who comes there is a super user.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from streamapp.runtime.acls import Acl
from streamapp.runtime.broker import Broker
from streamapp.runtime.broker.properties import HOST, free_port
from tests.certificates import Authority
from tests.integration.running import until

__all__ = ["PASSWORD", "Secured"]

PASSWORD = "canary-3f9c1b"
"""Of every user: nothing but the clients may ever say it."""

_LISTENERS = {"SASL": "SASL_PLAINTEXT", "MTLS": "SSL", "BOTH": "SASL_SSL"}
_OPERATIONS = {
    "Alter": AclOperation.ALTER,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
}
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_PLAIN = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_plain="{PASSWORD}";'


def _binding(user: str, acl: Acl) -> AclBinding:
    return AclBinding(
        ResourceType[acl.resource.upper().replace("-", "_")],
        acl.name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        _OPERATIONS[acl.operation],
        AclPermissionType.ALLOW,
    )


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


class Secured:
    """The broker, its authority, and its users."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.ports = {name: free_port() for name in _LISTENERS}
        self.broker = Broker(properties=self._properties())

    def _properties(self) -> dict[str, str]:
        listeners = ",".join(f"{name}://{HOST}:{port}" for name, port in self.ports.items())
        return {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "listener.security.protocol.map": ",".join(f"{k}:{v}" for k, v in _LISTENERS.items()),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.authority.issue("kafka").both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
            "listener.name.mtls.ssl.client.auth": "required",
            "connection.failed.authentication.delay.ms": "0",
            "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl.plain.sasl.jaas.config": _PLAIN,
            "listener.name.sasl.scram-sha-512.sasl.jaas.config": _SCRAM,
            "listener.name.both.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.both.scram-sha-512.sasl.jaas.config": _SCRAM,
        }

    def address(self, listener: str) -> str:
        return f"{HOST}:{self.ports[listener]}"

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})

    def create(self, *topics: str) -> None:
        """Create topics of one partition, with a record in each."""
        for done in self.admin.create_topics([NewTopic(topic) for topic in topics]).values():
            done.result(30)
        client = Producer({"bootstrap.servers": self.broker.bootstrap, "log_level": 0})
        for topic in topics:
            client.produce(topic, b"{}", b"key")
        assert client.flush(30) == 0

    def add_users(self, *names: str) -> None:
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
        changes: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(name, info, PASSWORD.encode()) for name in names
        ]
        for done in self.admin.alter_user_scram_credentials(changes).values():
            done.result(30)
        until(lambda: self._are_known(names), what=f"{names} are known", every_s=0.02)

    def _are_known(self, names: Iterable[str]) -> bool:
        found = self.admin.describe_user_scram_credentials(list(names))
        assert isinstance(found, dict)
        return all(done.exception(30) is None for done in found.values())

    def allow(self, user: str, acls: Iterable[Acl]) -> None:
        """Let `user` do this, beside what was allowed before."""
        bindings = {_binding(user, acl) for acl in acls}
        for done in self.admin.create_acls(list(bindings)).values():
            done.result(30)
        until(lambda: bindings <= self._bindings(user), what=f"{user} is allowed", every_s=0.02)

    def forbid(self, user: str, acl: Acl) -> None:
        """Take one back."""
        binding = _binding(user, acl)
        (done,) = self.admin.delete_acls([_filter(binding)]).values()
        assert done.result(30) == [binding]
        until(lambda: binding not in self._bindings(user), what=f"{user} is forbidden", every_s=0.02)

    def _bindings(self, user: str) -> set[AclBinding]:
        everything = AclBindingFilter(
            ResourceType.ANY,
            None,  # type: ignore[arg-type]  # any
            ResourcePatternType.ANY,
            f"User:{user}",
            None,  # type: ignore[arg-type]
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        return set(self.admin.describe_acls(everything).result(30))

    def sasl(self, user: str) -> dict[str, Any]:
        """Settings of `user` with a password that everybody may read on its way."""
        return {
            "bootstrap": self.address("SASL"),
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": user,
            "sasl_password": PASSWORD,
        }

    def sasl_tls(self, user: str) -> dict[str, Any]:
        """Settings of `user` with a password over TLS."""
        return {
            "bootstrap": self.address("BOTH"),
            "security_protocol": "SASL_SSL",
            "sasl_username": user,
            "sasl_password": PASSWORD,
            "ssl_cafile": self.authority.file,
        }

    def mutual_tls(self, user: str) -> dict[str, Any]:
        """Settings of `user` with a certificate."""
        issued = self.authority.issue(user)
        return {
            "bootstrap": self.address("MTLS"),
            "security_protocol": "SSL",
            "ssl_cafile": self.authority.file,
            "ssl_certfile": issued.certificate,
            "ssl_keyfile": issued.key,
        }

    def __enter__(self) -> Self:
        self.broker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.broker.stop()
