"""Rules between values, in every environment and in production: the sentence and the key for each."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.strength import OWN_SECRET_BYTES, STORE_PASSWORD_BYTES, weakness
from tests.config.reading import Reading

STRONG = "kXq7vT2mZc9RfW4bLy8NsH3jPd6GtQ5a"
STRONG_PASSWORD = "vT2mZc9RfW4bLy8N"
PRODUCTION = '[server]\nenvironment = "production"\npublic_url = "https://meet.example.org"\n'
S3 = f'[objects]\naccess_key = "k"\nsecret_key = "{STRONG_PASSWORD}"\n'


@pytest.mark.parametrize(
    ("toml", "key", "said"),
    [
        ("[server]\nport = 9000\nmedia_port = 9000", "server.media_port", "9000 is also server.port"),
        ('[media]\naddresses = ["meet.example.org"]', "media.addresses", "is not an address such as"),
        ('[media]\naddresses = ["0.0.0.0"]', "media.addresses", "stands for every address"),
        ('[media]\nadvertised = ["203.0.113.7:8081"]', "media.advertised", "is not an address such as"),
        ('[media]\nadvertised = ["203.0.113.7", "::"]', "media.advertised", "'::' stands for every address"),
        ('[server]\ntrusted_proxies = ["10.0.0.0/8", "10.0.0.1/8"]', "server.trusted_proxies", "has host bits set"),
        ('[server]\ntrusted_proxies = ["proxy"]', "server.trusted_proxies", "'proxy' is not a network"),
        ('[server]\npublic_url = "https://x.example/chat"', "server.public_url", "without a path"),
        ('[server]\npublic_url = "https://x.example/"', "server.public_url", "without a path"),
        ('[server]\npublic_url = "ftp://x.example"', "server.public_url", "http(s)://host"),
        ('[server]\npublic_url = "x.example"', "server.public_url", "http(s)://host"),
        ('[server]\npublic_url = "https://"', "server.public_url", "http(s)://host"),
        ('[server]\npublic_url = "https://x.example:99999"', "server.public_url", "http(s)://host"),
        ('[server]\npublic_url = "https://[::1"', "server.public_url", "http(s)://host"),
        ('[server]\npublic_url = "https://x.example?a=b"', "server.public_url", "http(s)://host"),
        ('[server]\nallowed_origins = ["https://A.example"]', "server.allowed_origins", "is not an origin"),
        ('[server]\nallowed_origins = ["null"]', "server.allowed_origins", "'null' is not an origin"),
        ('[server]\nallowed_origins = ["https://*.example"]', "server.allowed_origins", "is not an origin"),
        ('[server]\nbody_timeout = "40s"', "server.body_timeout", "longer than server.request_timeout 30s"),
        ('[database]\ntimeout = "31s"', "database.timeout", "longer than server.request_timeout 30s"),
        ('[jobs]\nlease = "5s"\npoll = "6s"', "jobs.poll", "longer than jobs.lease 5s"),
        ('[security]\nsecret = "short"', "security.secret", "is 5 bytes, at least 32 are needed"),
        ('[database]\nurl = "mysql://u:p@h/n"', "database.url", "is not postgresql://"),
        ('[database]\nurl = "postgresql://u:p@h"', "database.url", "is not postgresql://"),
        ('[database]\nurl = "postgresql:///n"', "database.url", "is not postgresql://"),
        ('[database]\nurl = "postgresql://u:p@h:port/n"', "database.url", "is not postgresql://"),
        ('[database]\nurl = "postgresql://h/n?sslmode=require"', "database.url", "leave ssl options out"),
        ('[database]\nreplica_urls = ["postgresql://h/n"]', "database.replica_urls", "need database.url"),
        ("[database]\ntls = true", "database.tls", "means nothing without database.url"),
        ('[database]\nurl = "postgresql://h/n"\ntls_ca = "/ca"', "database.tls_ca", "only when database.tls"),
        ('[messages]\ncassandra_hosts = ["c1:9042"]', "messages.cassandra_hosts", "port is messages.cassandra_port"),
        ('[messages]\nusername = "u"', "messages.password", "needed because messages.username is set"),
        ('[messages]\npassword = "p"', "messages.username", "needed because messages.password is set"),
        ('[messages]\ncassandra_hosts = ["c1"]\ntls_ca = "/ca"', "messages.tls_ca", "only when messages.tls"),
        ("[messages]\ntls = true", "messages.tls", "means nothing without messages.cassandra_hosts"),
        ("[messages]\nreplication_factor = 0", "messages.replication_factor", "from 1 to 9"),
        ('[redis]\nurl = "http://h"', "redis.url", "is not redis://"),
        ('[redis]\nurl = "redis://"', "redis.url", "is not redis://"),
        ('[redis]\nurl = "redis://h"\ntls_ca = "/ca"', "redis.tls_ca", "begins with rediss://"),
        ("[redis]\ndurable_streams = true", "redis.durable_streams", "means nothing without redis.url"),
        (f'{S3}endpoint = "http://h:9000/minio"', "objects.endpoint", "without a path"),
        (f'{S3}endpoint = "http://h"\nbucket = "a..b"', "objects.bucket", "two dots in a row"),
        (f'{S3}endpoint = "http://h"\ntls_ca = "/ca"', "objects.tls_ca", "begins with https://"),
        ('[objects]\nendpoint = "http://h"\naccess_key = "k"', "objects.secret_key", "objects.endpoint is set"),
        ('[objects]\nendpoint = "http://h"\nsecret_key = "k"', "objects.access_key", "objects.endpoint is set"),
        ('[objects]\npublic_endpoint = "http://h"', "objects.public_endpoint", "means nothing without"),
        ('[objects]\nupload_url_ttl = "8d"', "objects.upload_url_ttl", "from 1s to 7d"),
        ('[mail]\nsender = "SecureConnect"', "mail.sender", "is not an address such as"),
        ('[mail]\nsender = "a@b, c@d"', "mail.sender", "is not an address such as"),
        ('[mail]\nsender = "Evil <a@b> <c@d>"', "mail.sender", "is not an address such as"),
        ('[mail]\nhost = "smtp.example:25"', "mail.host", "the port is mail.port"),
        ('[mail]\nusername = "u"', "mail.password", "needed because mail.username is set"),
        ('[mail]\nsecurity = "none"\ntls_ca = "/ca"', "mail.tls_ca", "only when mail.security"),
        ('[telemetry]\notlp_endpoint = "otel:4318"', "telemetry.otlp_endpoint", "is not a URL such as"),
        ('[identity]\nverifying_key_files = ["/k"]', "identity.verifying_key_files", "identity.signing_key_file"),
        (f'{PRODUCTION}allowed_origins = ["*"]', "server.allowed_origins", "does not allow every origin"),
        (f'{PRODUCTION}trusted_proxies = ["0.0.0.0/0"]', "server.trusted_proxies", "forge its address"),
        (f'{PRODUCTION}trusted_proxies = ["::/0"]', "server.trusted_proxies", "forge its address"),
        (f"{PRODUCTION}[limits]\nenabled = false", "limits.enabled", "does not run without rate limits"),
        ('[server]\nenvironment = "production"', "server.public_url", "is empty, which means http://"),
        (PRODUCTION.replace("https", "http"), "server.public_url", "is refused in production"),
        (f'{PRODUCTION}[database]\nurl = "postgresql://u@h/n"', "database.tls", "set it to true"),
        (f'{PRODUCTION}[database]\nurl = "postgresql://u@127.0.0.1/n"', "database.tls", "set it to true"),
        (f'{PRODUCTION}[redis]\nurl = "redis://h"', "redis.url", "use rediss://"),
        (f'{PRODUCTION}[redis]\nurl = "redis://localhost"', "redis.url", "use rediss://"),
        (f'{PRODUCTION}[messages]\ncassandra_hosts = ["c"]', "messages.tls", "set it to true"),
        (f'{PRODUCTION}{S3}endpoint = "http://h"', "objects.endpoint", "use https://"),
        (f'{PRODUCTION}[mail]\nhost = "h"\nsecurity = "none"', "mail.security", "use starttls or tls"),
        (f'{PRODUCTION}[security]\nsecret = "tooshort"', "security.secret", "at least 32 are needed"),
        (f'{PRODUCTION}[security]\nsecret = "changeme{STRONG}"', "security.secret", "sample configurations"),
        (f'{PRODUCTION}[security]\nsecret = "{"ab" * 20}"', "security.secret", "repeats or counts up"),
        (f'{PRODUCTION}[telemetry]\nmetrics_token = "short"', "telemetry.metrics_token", "shorter than 32 bytes"),
        (
            f'{PRODUCTION}[database]\ntls = true\nurl = "postgresql://u:secret@h/n"',
            "database.url",
            "the password is shorter than 12 bytes",
        ),
        (
            (f'{PRODUCTION}[database]\ntls = true\nurl = "postgresql://h/n"\n'
            'replica_urls = ["postgresql://u:%70assword1234@h/n"]'),
            "database.replica_urls",
            "sample configurations",
        ),
        (f'{PRODUCTION}[redis]\nurl = "rediss://:123456789012@h"', "redis.url", "the password contains a word"),
        (
            f'{PRODUCTION}[objects]\nendpoint = "https://h"\naccess_key = "minioadmin"\nsecret_key = "minioadmin123"',
            "objects.secret_key",
            "sample configurations",
        ),
        (f'{PRODUCTION}[mail]\nusername = "u"\npassword = "aaaaaaaaaaaaaa"', "mail.password", "repeats"),
        (f'{PRODUCTION}[messages]\nusername = "u"\npassword = "cassandracassandra"', "messages.password", "sample"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_names_the_key_and_the_cure(reading: Reading, toml: str, key: str, said: str) -> None:
    problem = reading.problem(toml)
    assert problem.key == key
    assert said in problem.message


@pytest.mark.parametrize(
    "toml",
    [
        "[server]\nport = 0\nmedia_port = 0",
        '[media]\naddresses = ["127.0.0.1", "2001:db8::7"]\nadvertised = ["203.0.113.7"]',
        '[server]\ntrusted_proxies = ["10.0.0.0/8", "192.0.2.1", "fd00::/8"]',
        '[server]\npublic_url = "https://meet.example.org:8443"',
        '[server]\npublic_url = "http://[2001:db8::1]:8080"',
        '[server]\nallowed_origins = ["*"]',
        '[database]\nurl = "cockroachdb://u:p@h:26257/n"',
        '[redis]\nurl = "redis://redis_1:6379/0"',
        '[messages]\ncassandra_hosts = ["cassandra_1", "10.0.0.7", "2001:db8::1", "c.example"]',
        '[mail]\nsender = "no-reply@example.org"',
        '[mail]\nsender = "Meeting <no-reply@example.org>"',
        "[mail]\nsender = '\"Meeting, Inc.\" <no-reply@example.org>'",
        '[telemetry]\notlp_endpoint = "https://otel.example/v1/traces"',
        f'{S3}endpoint = "http://h:9000"\npublic_endpoint = "https://files.example"',
        PRODUCTION,
        f'{PRODUCTION}[security]\nsecret = "{STRONG}"\n[telemetry]\nmetrics_token = "{STRONG}"',
        f'{PRODUCTION}[mail]\nhost = "h"\nusername = "u"\npassword = "{STRONG_PASSWORD}"',
        (
            f'{PRODUCTION}[database]\ntls = true\nurl = "postgresql://u:{STRONG_PASSWORD}@h/n"\n'
            f'[redis]\nurl = "rediss://:{STRONG_PASSWORD}@h"\n{S3}endpoint = "https://h"\n'
            f'[messages]\ncassandra_hosts = ["c"]\ntls = true\nusername = "u"\npassword = "{STRONG_PASSWORD}"'
        ),
        (
            f"{PRODUCTION}[security]\nallow_insecure_stores = true\n"
            '[database]\nurl = "postgresql://u@h/n"\n[redis]\nurl = "redis://h"\n[messages]\ncassandra_hosts = ["c"]\n'
            f'[mail]\nhost = "h"\nsecurity = "none"\n{S3}endpoint = "http://h"'
        ),
    ],
)
def test_what_makes_sense_is_accepted(reading: Reading, toml: str) -> None:
    reading.settings(toml)


def test_a_password_typed_into_an_address_is_not_repeated(reading: Reading) -> None:
    toml = '[server]\npublic_url = "https://u:hunter2@x"\nallowed_origins = ["https://u:hunter2@x"]\n'
    problems = reading.problems(f'{toml}[telemetry]\notlp_endpoint = "http://u:hunter2@x"\n')
    assert set(problems) == {"server.public_url", "server.allowed_origins", "telemetry.otlp_endpoint"}
    assert "hunter2" not in "".join(map(str, problems.values()))


def test_a_problem_between_keys_points_at_where_the_value_was_written(reading: Reading) -> None:
    problem = reading.problem("[server]\nport = 9000\nmedia_port = 9000\n")
    assert problem.source == f"{reading.file}:3"
    problem = reading.problem("[server]\nport = 8081\n")
    assert (problem.key, problem.source) == ("server.media_port", "default")


@pytest.mark.parametrize(
    "secret",
    [
        "change-me-" + STRONG,
        "ThisIsMySuperSecretPassword12345",
        "example" + STRONG,
        "replace_this_with_your_own_value!!",
        "test-" + STRONG,
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz789012",
        "zyxwvutsrqponmlkjihgfedcba987654",
        "a" * 64,
        "deadbeef" * 8,
        "qwertyuiop" * 4,
        "1212121212121212121212121212121a",
        "kkkkkkkkkkqqqqqqqqqqzzzzzzzzzzww",
        "kqxkqxkqzkqxkqxkqzxkqxkqxkqzkkqq",
    ],
)
def test_guessable_secrets_are_weak(secret: str) -> None:
    assert weakness(secret, shortest=OWN_SECRET_BYTES) is not None


@pytest.mark.parametrize("generator", [partial(secrets.token_hex, 16), partial(secrets.token_urlsafe, 32)])
def test_what_the_usual_generators_make_is_strong(generator: Callable[[], str]) -> None:
    # Chance alone may spell a sample word, less than once in 100,000 times.
    refused = [secret for secret in (generator() for _ in range(500)) if weakness(secret, shortest=OWN_SECRET_BYTES)]
    assert len(refused) <= 1


def test_a_password_of_a_store_may_be_shorter_than_a_secret_of_ours() -> None:
    password = "vT2mZc9RfW4b"
    assert weakness(password, shortest=STORE_PASSWORD_BYTES) is None
    assert weakness(password, shortest=OWN_SECRET_BYTES) == "is shorter than 32 bytes"


@given(st.text(st.characters(codec="utf-8")))
def test_judging_a_secret_never_fails_and_never_quotes_it(secret: str) -> None:
    verdict = weakness(secret, shortest=OWN_SECRET_BYTES)
    if len(secret) >= 8:
        assert verdict is None or secret not in verdict
