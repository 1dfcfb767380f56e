"""Rules that look at values together, and what production insists on. Each names the keys it looked at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from config.sections import Settings
from config.strength import OWN_SECRET_BYTES, STORE_PASSWORD_BYTES, weakness
from config.values import Secret

_SQL_SCHEMES = ("postgresql", "cockroachdb")
_WEB_SCHEMES = ("http", "https")
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
_SENDER = re.compile(rf'{_ADDRESS}|(?:"[^"<>\\]*"|[^"<>@,;:\\]*) ?<{_ADDRESS}>')
_GENERATE = "generate one with `openssl rand -base64 48`"


@dataclass(frozen=True, slots=True)
class Finding:
    """``keys`` are all the rule looked at, the one to change first."""

    keys: tuple[str, ...]
    message: str


Rule = Callable[[Settings], Iterator[Finding]]


def findings(settings: Settings) -> list[Finding]:
    rules = (*_ALWAYS, *_PRODUCTION) if settings.server.environment == "production" else _ALWAYS
    return [finding for rule in rules for finding in rule(settings)]


def missing_files(settings: Settings) -> list[Finding]:
    """Files that are named and cannot be read. Not among the rules: it looks at this machine, and a configuration may
    be printed on another."""
    named = [
        ("database.tls_ca", settings.database.tls_ca),
        ("messages.tls_ca", settings.messages.tls_ca),
        ("redis.tls_ca", settings.redis.tls_ca),
        ("objects.tls_ca", settings.objects.tls_ca),
        ("mail.tls_ca", settings.mail.tls_ca),
        ("identity.signing_key_file", settings.identity.signing_key_file),
        *(("identity.verifying_key_files", name) for name in settings.identity.verifying_key_files),
    ]
    found = []
    for key, name in named:
        try:
            if name:
                Path(name).open("rb").close()
        except OSError as error:
            found.append(Finding((key,), f"{name!r} cannot be read: {error.strerror}"))
    return found


def url_passwords(url: Secret) -> tuple[str, ...]:
    """The password inside a URL as it is and as it is spelled there; none when there is none to be read."""
    parts = _parts(url.reveal())
    spelled = (parts.password or "") if parts else ""
    return tuple(dict.fromkeys(text for text in (unquote(spelled), spelled) if text))


def _parts(url: str) -> SplitResult | None:
    """None for what is no URL at all; the port is looked at because reading it is what fails."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


# --- rules of every environment ---------------------------------------------------------------------------


def _ports_differ(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    if server.port and server.port == server.media_port:
        message = (
            f"{server.media_port} is also server.port; media takes its number over TCP too, so they have to differ"
        )
        yield Finding(("server.media_port", "server.port"), message)


def _media_addresses(settings: Settings) -> Iterator[Finding]:
    """Candidates name addresses, not hosts: nobody would look a name up for us."""
    for key, addresses in (
        ("media.addresses", settings.media.addresses),
        ("media.advertised", settings.media.advertised),
    ):
        for address in addresses:
            if problem := _media_address_problem(address):
                yield Finding((key,), f"{address!r} {problem}")


def _media_address_problem(address: str) -> str | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return "is not an address such as 203.0.113.7 or 2001:db8::7"
    if parsed.is_unspecified:
        return "stands for every address; leave the list empty and set server.host to it"
    return None


def _proxies_are_networks(settings: Settings) -> Iterator[Finding]:
    for network in settings.server.trusted_proxies:
        try:
            ip_network(network)
        except ValueError as error:
            message = f"{network!r} is not a network such as 10.0.0.0/8 or fd00::/8 ({error})"
            yield Finding(("server.trusted_proxies",), message)


def _web_addresses(settings: Settings) -> Iterator[Finding]:
    """Scheme, host and port, nothing else: paths are ours, and user:password@ would be printed and logged."""
    addresses = {
        "server.public_url": settings.server.public_url,
        "objects.endpoint": settings.objects.endpoint,
        "objects.public_endpoint": settings.objects.public_endpoint,
    }
    for key, address in addresses.items():
        if address and not _is_origin(address):
            yield Finding((key,), f"{_without_userinfo(address)!r} is not http(s)://host[:port] without a path")
    for origin in settings.server.allowed_origins:
        if origin != "*" and not _is_origin(origin):
            message = f"{_without_userinfo(origin)!r} is not an origin such as https://app.example.org"
            yield Finding(("server.allowed_origins",), message)


def _is_origin(address: str) -> bool:
    parts = _parts(address)
    return (
        parts is not None
        and parts.scheme in _WEB_SCHEMES
        and bool(parts.hostname)
        and "@" not in parts.netloc
        and address == f"{parts.scheme}://{parts.netloc}"
        and address == address.lower()
        and not any(mark in address for mark in " *\"'<>\\")
    )


def _without_userinfo(address: str) -> str:
    scheme, separator, rest = address.rpartition("@")
    return f"...@{rest}" if separator and scheme else rest


def _collector_is_a_url(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.telemetry.otlp_endpoint
    parts = _parts(endpoint)
    if endpoint and (parts is None or parts.scheme not in _WEB_SCHEMES or not parts.hostname or "@" in parts.netloc):
        message = f"{_without_userinfo(endpoint)!r} is not a URL such as http://otel:4318"
        yield Finding(("telemetry.otlp_endpoint",), message)


def _timeouts_nest(settings: Settings) -> Iterator[Finding]:
    """A store that answers late must be what a request fails with, not the request's own end."""
    request = settings.server.request_timeout
    inner = {
        "server.body_timeout": settings.server.body_timeout,
        "database.timeout": settings.database.timeout,
        "messages.timeout": settings.messages.timeout,
        "redis.timeout": settings.redis.timeout,
        "objects.timeout": settings.objects.timeout,
    }
    for key, timeout in inner.items():
        if timeout > request:
            yield Finding((key, "server.request_timeout"), f"{timeout} is longer than server.request_timeout {request}")
    if settings.jobs.poll > settings.jobs.lease:
        message = f"{settings.jobs.poll} is longer than jobs.lease {settings.jobs.lease}"
        yield Finding(("jobs.poll", "jobs.lease"), message)


def _database_urls(settings: Settings) -> Iterator[Finding]:
    database = settings.database
    for key, url in _database_url_keys(settings):
        if problem := _database_url_problem(url):
            yield Finding((key,), problem)
    if database.replica_urls and not database.url:
        yield Finding(("database.replica_urls", "database.url"), "read replicas need database.url; SQLite has none")
    if database.tls_ca and not database.tls:
        yield Finding(("database.tls_ca", "database.tls"), "is used only when database.tls is true")
    if database.tls and not database.url:
        yield Finding(("database.tls", "database.url"), "means nothing without database.url: SQLite is a file")


def _database_url_keys(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.database.url:
        yield "database.url", settings.database.url.reveal()
    for url in settings.database.replica_urls:
        yield "database.replica_urls", url.reveal()


def _database_url_problem(url: str) -> str | None:
    parts = _parts(url)
    if parts is None or parts.scheme not in _SQL_SCHEMES or not parts.hostname or not parts.path.strip("/"):
        return "is not postgresql://user:password@host/name or cockroachdb://... (characters such as @ as %40)"
    if "ssl" in parts.query:
        return "leave ssl options out of the URL; database.tls and database.tls_ca say it"
    return None


def _cassandra_fits(settings: Settings) -> Iterator[Finding]:
    messages = settings.messages
    for host in messages.cassandra_hosts:
        if not _is_host(host):
            message = f"{host!r} is not a host name or address (the port is messages.cassandra_port)"
            yield Finding(("messages.cassandra_hosts",), message)
    yield from _login_is_whole("messages", messages.username, messages.password)
    if messages.tls_ca and not messages.tls:
        yield Finding(("messages.tls_ca", "messages.tls"), "is used only when messages.tls is true")
    if messages.tls and not messages.cassandra_hosts:
        yield Finding(("messages.tls", "messages.cassandra_hosts"), "means nothing without messages.cassandra_hosts")


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return len(host) <= 253 and all(part and re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in host.split("."))
    return True


def _login_is_whole(section: str, username: str, password: Secret) -> Iterator[Finding]:
    keys = (f"{section}.username", f"{section}.password")
    if username and not password:
        yield Finding((keys[1], keys[0]), f"is needed because {section}.username is set")
    if password and not username:
        yield Finding(keys, f"is needed because {section}.password is set")


def _redis_url(settings: Settings) -> Iterator[Finding]:
    redis = settings.redis
    parts = _parts(redis.url.reveal())
    if redis.url and (parts is None or parts.scheme not in ("redis", "rediss") or not parts.hostname):
        yield Finding(("redis.url",), "is not redis://host:6379/0 or rediss://... (characters such as @ as %40)")
    elif parts and redis.tls_ca and parts.scheme != "rediss":
        yield Finding(("redis.tls_ca", "redis.url"), "is used only when redis.url begins with rediss://")
    if redis.durable_streams and not redis.url:
        yield Finding(("redis.durable_streams", "redis.url"), "means nothing without redis.url")


def _objects_are_whole(settings: Settings) -> Iterator[Finding]:
    objects = settings.objects
    if objects.endpoint:
        if not objects.access_key:
            yield Finding(("objects.access_key", "objects.endpoint"), "is needed because objects.endpoint is set")
        if not objects.secret_key:
            yield Finding(("objects.secret_key", "objects.endpoint"), "is needed because objects.endpoint is set")
    if objects.public_endpoint and not objects.endpoint:
        message = "means nothing without objects.endpoint: files are kept in data_dir"
        yield Finding(("objects.public_endpoint", "objects.endpoint"), message)
    if objects.tls_ca and not objects.endpoint.startswith("https://"):
        message = "is used only when objects.endpoint begins with https://"
        yield Finding(("objects.tls_ca", "objects.endpoint"), message)
    if ".." in objects.bucket:
        yield Finding(("objects.bucket",), f"{objects.bucket!r} is not a bucket name: two dots in a row")


def _mail_is_sendable(settings: Settings) -> Iterator[Finding]:
    mail = settings.mail
    if not _SENDER.fullmatch(mail.sender):
        message = f"{mail.sender!r} is not an address such as SecureConnect <no-reply@example.org>"
        yield Finding(("mail.sender",), message)
    if mail.host and not _is_host(mail.host):
        yield Finding(("mail.host",), f"{mail.host!r} is not a host name or address (the port is mail.port)")
    yield from _login_is_whole("mail", mail.username, mail.password)
    if mail.tls_ca and mail.security == "none":
        yield Finding(("mail.tls_ca", "mail.security"), "is used only when mail.security is starttls or tls")


def _own_secret_is_long_enough(settings: Settings) -> Iterator[Finding]:
    length = len(settings.security.secret.reveal().encode("utf-8", "surrogatepass"))
    if 0 < length < OWN_SECRET_BYTES:
        message = f"is {length} bytes, at least {OWN_SECRET_BYTES} are needed; leave it empty or {_GENERATE}"
        yield Finding(("security.secret",), message)


def _keys_belong_together(settings: Settings) -> Iterator[Finding]:
    if settings.identity.verifying_key_files and not settings.identity.signing_key_file:
        keys = ("identity.verifying_key_files", "identity.signing_key_file")
        yield Finding(keys, "means nothing without identity.signing_key_file: tokens are signed with the secret")


# --- rules of production ----------------------------------------------------------------------------------


def _secrets_are_strong(settings: Settings) -> Iterator[Finding]:
    # A short security.secret is reported by the rule above, in every environment.
    own = {"security.secret": settings.security.secret, "telemetry.metrics_token": settings.telemetry.metrics_token}
    for key, secret in own.items():
        flaw = weakness(secret.reveal(), shortest=OWN_SECRET_BYTES) if secret else None
        if flaw and not (key == "security.secret" and len(secret.reveal().encode()) < OWN_SECRET_BYTES):
            yield Finding((key, "server.environment"), f"{flaw}, which production refuses; {_GENERATE}")
    for key, password in _store_passwords(settings):
        flaw = weakness(password, shortest=STORE_PASSWORD_BYTES) if password else None
        if flaw:
            yield Finding((key, "server.environment"), f"the password {flaw}, which production refuses")


def _store_passwords(settings: Settings) -> Iterator[tuple[str, str]]:
    urls = [("database.replica_urls", url) for url in settings.database.replica_urls]
    for key, url in (("database.url", settings.database.url), ("redis.url", settings.redis.url), *urls):
        yield key, next(iter(url_passwords(url)), "")
    yield "messages.password", settings.messages.password.reveal()
    yield "objects.secret_key", settings.objects.secret_key.reveal()
    yield "mail.password", settings.mail.password.reveal()


def _stores_use_tls(settings: Settings) -> Iterator[Finding]:
    if settings.security.allow_insecure_stores:
        return
    cures = {
        "database.tls": (bool(settings.database.url) and not settings.database.tls, "set it to true"),
        "messages.tls": (bool(settings.messages.cassandra_hosts) and not settings.messages.tls, "set it to true"),
        "redis.url": (settings.redis.url.reveal().startswith("redis://"), "use rediss://"),
        "objects.endpoint": (settings.objects.endpoint.startswith("http://"), "use https://"),
        "mail.security": (bool(settings.mail.host) and settings.mail.security == "none", "use starttls or tls"),
    }
    for key, (in_clear, cure) in cures.items():
        if in_clear:
            message = f"production does not talk to a store without TLS: {cure}, or set security.allow_insecure_stores"
            keys = (key, "server.environment", "security.allow_insecure_stores", *_TLS_DEPENDS.get(key, ()))
            yield Finding(keys, message)


_TLS_DEPENDS = {
    "database.tls": ("database.url",),
    "messages.tls": ("messages.cassandra_hosts",),
    "mail.security": ("mail.host",),
}


def _the_door_is_closed(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    if "*" in server.allowed_origins:
        message = "production does not allow every origin (*); name those that may call"
        yield Finding(("server.allowed_origins", "server.environment"), message)
    if not server.public_url.startswith("https://"):
        written = f"{server.public_url!r} is" if server.public_url else "is empty, which means http:// and is"
        message = f"{written} refused in production; name the https:// address people use"
        yield Finding(("server.public_url", "server.environment"), message)
    if any(network.endswith("/0") for network in server.trusted_proxies):
        message = "a network of everybody (/0) lets any caller forge its address, which production refuses"
        yield Finding(("server.trusted_proxies", "server.environment"), message)
    if not settings.limits.enabled:
        yield Finding(("limits.enabled", "server.environment"), "production does not run without rate limits")


_ALWAYS: tuple[Rule, ...] = (
    _ports_differ,
    _media_addresses,
    _proxies_are_networks,
    _web_addresses,
    _collector_is_a_url,
    _timeouts_nest,
    _database_urls,
    _cassandra_fits,
    _redis_url,
    _objects_are_whole,
    _mail_is_sendable,
    _own_secret_is_long_enough,
    _keys_belong_together,
)
_PRODUCTION: tuple[Rule, ...] = (_secrets_are_strong, _stores_use_tls, _the_door_is_closed)
