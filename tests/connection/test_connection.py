from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from streamapp.connection import Connection
from streamapp.errors import ConfigError
from streamapp.settings import Settings
from tests.certificates import Authority

CANARY = "canary-77ab"
SASL = {"security_protocol": "SASL_SSL", "sasl_username": "alice"}


@pytest.fixture(autouse=True)
def no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMAPP_SECURITY_PROTOCOL", raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def connection(**settings: object) -> Connection:
    return Settings.of(name="bikes", bootstrap="kafka:9092", **settings).connection


def error(**settings: object) -> str:
    with pytest.raises(ConfigError) as caught:
        connection(**settings)
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_plain_text_is_the_default() -> None:
    assert connection() == Connection("kafka:9092")


def test_a_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAPP_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("STREAMAPP_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("STREAMAPP_SASL_USERNAME", "alice")
    monkeypatch.setenv("STREAMAPP_SASL_PASSWORD", CANARY)
    monkeypatch.setenv("STREAMAPP_SSL_CAFILE", "")  # as good as not set
    assert connection().client_options == {
        "bootstrap_servers": "kafka:9092",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "alice",
        "sasl_plain_password": CANARY,
    }


def test_a_password_from_a_file_over_tls(tmp_path: Path, authority: Authority) -> None:
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    options = connection(**SASL, sasl_password_file=file, ssl_cafile=authority.file).client_options
    context = options.pop("ssl_context")
    assert options.pop("sasl_plain_password") == CANARY
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [dict(entry[0] for entry in each["subject"]) for each in context.get_ca_certs()] == [
        {"commonName": "authority"}
    ]


def test_the_name_of_the_host_need_not_be_checked_but_the_certificate_is(authority: Authority) -> None:
    context = connection(
        security_protocol="SSL", ssl_cafile=authority.file, ssl_check_hostname=False
    ).ssl_context
    assert context is not None
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_certificate_with_its_key_beside_it_within_it_or_encrypted(
    authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue("alice")
    encrypted = authority.issue("encrypted", password=CANARY)
    (tmp_path / "password").write_text(CANARY)
    for certificate, key, password in (
        (issued.certificate, issued.key, None),
        (issued.both, None, None),
        (encrypted.certificate, encrypted.key, tmp_path / "password"),
    ):
        found = connection(
            security_protocol="SSL",
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_key_password_file=password,
        )
        assert found.ssl_context is not None


def test_secrets_are_not_shown(authority: Authority) -> None:
    settings = Settings.of(name="bikes", **SASL, sasl_password=CANARY, ssl_key_password=CANARY)
    for shown in (repr(settings), str(settings), repr(settings.connection), settings.model_dump_json()):
        assert CANARY not in shown
    with pytest.raises(ConfigError) as caught:
        Settings.of(name="bikes", sasl_password=[CANARY])
    assert str(caught.value) == "setting sasl_password: Input should be a valid string"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"security_protocol": "SASL_SSL"},
            "security_protocol SASL_SSL needs a user and a password: set STREAMAPP_SASL_USERNAME, and "
            "STREAMAPP_SASL_PASSWORD_FILE or STREAMAPP_SASL_PASSWORD",
        ),
        (SASL, "needs a user and a password"),
        ({**SASL, "sasl_password": ""}, "needs a user and a password"),
        (
            {"sasl_password": CANARY},
            "sasl_password is set, and security_protocol PLAINTEXT does not use it: "
            "set STREAMAPP_SECURITY_PROTOCOL to SASL_SSL",
        ),
        ({"security_protocol": "SSL", "sasl_username": "alice"}, "sasl_username is set, and"),
        ({"ssl_cafile": "ca.pem"}, "PLAINTEXT does not use it: set STREAMAPP_SECURITY_PROTOCOL to SSL"),
        (
            {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": "ca.pem"},
            "does not use it: set STREAMAPP_SECURITY_PROTOCOL to SASL_SSL",
        ),
        (
            {**SASL, "sasl_password": CANARY, "sasl_password_file": "password"},
            "sasl_password and sasl_password_file are both set: leave one of them out",
        ),
        (
            {**SASL, "sasl_password_file": "nowhere"},
            "sasl_password_file nowhere cannot be read: No such file",
        ),
        ({"security_protocol": "SSL", "ssl_cafile": "nowhere"}, "ssl_cafile nowhere cannot be read: No such"),
        ({"security_protocol": "SSL", "ssl_certfile": "nowhere"}, "ssl_certfile nowhere cannot be read"),
        (
            {"security_protocol": "SSL", "ssl_keyfile": "key.pem"},
            "ssl_keyfile is set without its certificate: set STREAMAPP_SSL_CERTFILE",
        ),
        (
            {"security_protocol": "TLS"},
            "setting security_protocol = 'TLS': Input should be 'PLAINTEXT', 'SSL'",
        ),
        ({**SASL, "sasl_mechanism": "GSSAPI"}, "setting sasl_mechanism = 'GSSAPI'"),
    ],
)
def test_what_contradicts_itself_is_one_line(
    settings: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in error(**settings)


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_file_without_a_secret_is_one_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(text)
    said = error(**SASL, sasl_password_file=file)
    assert said == f"sasl_password_file {file} must hold the secret in its one line"


def test_files_that_are_no_certificates_are_one_line(authority: Authority, tmp_path: Path) -> None:
    issued, other = authority.issue("alice"), authority.issue("other")
    encrypted = authority.issue("locked", password=CANARY)
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    bad = tmp_path / "bad.pem"

    def said(**settings: object) -> str:
        return error(security_protocol="SSL", **settings)

    assert said(ssl_cafile=bad).startswith(f"ssl_cafile {bad} holds no certificate in PEM")
    assert (
        f"ssl_certfile {issued.certificate} has no private key: set STREAMAPP_SSL_KEYFILE to the file that"
        in said(ssl_certfile=issued.certificate)
    )
    assert "has no private key: name the PEM file that does" in said(
        ssl_certfile=issued.certificate, ssl_keyfile=bad
    )
    assert f"{other.key} is not the key of the certificate in {issued.certificate}" in said(
        ssl_certfile=issued.certificate, ssl_keyfile=other.key
    )
    assert f"ssl_certfile {bad} holds no certificate in PEM" in said(ssl_certfile=bad, ssl_keyfile=issued.key)
    for password in (None, "wrong"):
        assert "does not open with this password: set STREAMAPP_SSL_KEY_PASSWORD_FILE" in said(
            ssl_certfile=encrypted.certificate, ssl_keyfile=encrypted.key, ssl_key_password=password
        )
