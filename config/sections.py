"""Every setting there is: a frozen struct per section, a default and a sentence for each key.

The sentence becomes the commented reference (docs/configuration.md and ``secureconnect.example.toml``), so it
says what a person deciding on a value wants to know. A room is handed its own section, never all of them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from config.values import Duration, Secret, Size

# A wait of nothing fails everything; one of hours holds a connection for someone who has long gone.
_TIMEOUT = Meta(ge=0.05, le=3600)
_DAY = 86400
# A limit nobody can reach; without one, a slipped key turns a limit off unnoticed.
_RATE = Meta(ge=1, le=1_000_000)
# SigV4, which signs the URLs of S3, allows no longer life.
_URL_LIFE = Meta(ge=1, le=7 * _DAY)


def _says(text: str) -> Meta:
    return Meta(description=text)


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class Server(Section, frozen=True):
    """Where the process listens and how it treats connections."""

    environment: Annotated[
        Literal["development", "production"],
        _says("production refuses weak secrets, stores without TLS and wildcard origins at start-up."),
    ] = "development"
    host: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9.:_-]{1,253}$"), _says("Address to listen on; 0.0.0.0 or :: for all.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535), _says("TCP port of pages, REST and WebSockets; 0 picks a free one.")] = (
        8080
    )
    media_port: Annotated[int, Meta(ge=0, le=65535), _says("The one UDP (and ICE-TCP) port of all media.")] = 8081
    public_url: Annotated[
        str,
        _says("The address people use, such as https://meet.example.org; empty: derived from host and port."),
    ] = ""
    data_dir: Annotated[
        str, Meta(min_length=1), _says("Directory of everything the embedded stores and the generated secret keep.")
    ] = "data"
    allowed_origins: Annotated[
        tuple[str, ...],
        _says("Web origins that may call the API and open sockets besides our own; * allows any (not in production)."),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], _says("Networks (CIDR) whose X-Forwarded-For and X-Forwarded-Proto are believed.")
    ] = ()
    header_timeout: Annotated[
        Duration, _TIMEOUT, _says("A connection that has not sent its request's headers by then is closed.")
    ] = Duration(10)
    body_timeout: Annotated[Duration, _TIMEOUT, _says("A request body must have arrived by then.")] = Duration(30)
    request_timeout: Annotated[
        Duration, _TIMEOUT, _says("A request must have been answered by then (streams excepted).")
    ] = Duration(30)
    keepalive_timeout: Annotated[Duration, _TIMEOUT, _says("An idle connection is closed after this.")] = Duration(75)
    shutdown_timeout: Annotated[
        Duration, _TIMEOUT, _says("Stopping takes at most this long: requests finish, sockets close, stores flush.")
    ] = Duration(20)
    max_connections: Annotated[
        int, Meta(ge=1, le=1_000_000), _says("Open HTTP connections; further ones wait in the kernel's queue.")
    ] = 10_000


class Media(Section, frozen=True):
    """Where audio and video come in and go out: the port is `server.media_port`."""

    addresses: Annotated[
        tuple[str, ...],
        _says("Addresses of this machine to bind; empty: server.host, and for 0.0.0.0 or :: every one it has."),
    ] = ()
    advertised: Annotated[
        tuple[str, ...],
        _says("Addresses told to clients, such as the public one behind NAT; empty: those that are bound."),
    ] = ()
    tcp: Annotated[bool, _says("Also take media over TCP, for networks that let no UDP through.")] = True
    max_transports: Annotated[
        int, Meta(ge=1, le=1_000_000), _says("Participants with media on this node; one more is told to try another.")
    ] = 1_000
    receive_buffer: Annotated[
        Size, Meta(ge=64 << 10, le=1 << 30), _says("Kernel buffer of each UDP socket, as far as the system allows it.")
    ] = Size(4 << 20)


class Limits(Section, frozen=True):
    """What one caller may ask of us. Rates are requests a minute, kept in a token bucket each."""

    enabled: Annotated[bool, _says("Rate limits; off only for load tests.")] = True
    body: Annotated[Size, Meta(ge=1 << 10, le=1 << 30), _says("Largest request body, uploads excepted.")] = Size(
        1 << 20
    )
    json_depth: Annotated[int, Meta(ge=4, le=256), _says("Deepest nesting of a JSON body.")] = 32
    login: Annotated[int, _RATE, _says("Logins a minute per account and address.")] = 5
    register: Annotated[int, _RATE, _says("Registrations a minute per address.")] = 3
    refresh: Annotated[int, _RATE, _says("Token refreshes a minute.")] = 10
    password: Annotated[int, _RATE, _says("Password changes a minute.")] = 5
    email: Annotated[int, _RATE, _says("E-mail changes and verifications a minute.")] = 5
    forgot: Annotated[int, _RATE, _says("Forgotten-password and reset requests a minute.")] = 5
    second_factor: Annotated[int, _RATE, _says("Second-factor requests a minute.")] = 5
    profile: Annotated[int, _RATE, _says("Profile changes a minute.")] = 50
    search: Annotated[int, _RATE, _says("Searches a minute.")] = 30
    avatars: Annotated[int, _RATE, _says("Avatars fetched a minute; a page of people has one each.")] = 600
    friend_requests: Annotated[int, _RATE, _says("Requests for friendship a minute.")] = 20
    presence: Annotated[int, _RATE, _says("Times a minute that devices say that they are there.")] = 30
    messages: Annotated[int, _RATE, _says("Messages a minute.")] = 100
    calls: Annotated[int, _RATE, _says("Call and room control requests a minute.")] = 20
    sockets: Annotated[int, _RATE, _says("Sockets of rooms opened a minute from one address; an office has one.")] = 300
    storage: Annotated[int, _RATE, _says("File requests a minute.")] = 30
    default: Annotated[int, _RATE, _says("Everything else, a minute.")] = 100


class Security(Section, frozen=True):
    """Secrets this node signs and encrypts with."""

    secret: Annotated[
        Secret,
        _says("At least 32 bytes, signs tokens and URLs; empty: generated into data_dir on first start."),
    ] = Secret()
    allow_insecure_stores: Annotated[
        bool, _says("Lets production talk to stores without TLS, for a private network you trust.")
    ] = False


class Identity(Section, frozen=True):
    """Accounts and how long somebody stays signed in."""

    registration: Annotated[
        bool, _says("Anybody may make an account; off: only an admin makes them (`secureconnect admin create-user`).")
    ] = True
    require_verified_email: Annotated[bool, _says("Nobody signs in before their e-mail address is confirmed.")] = False
    access_token_lifetime: Annotated[
        Duration, Meta(ge=30, le=86400), _says("How long an access token is good; shorter means more refreshes.")
    ] = Duration(900)
    session_lifetime: Annotated[
        Duration, Meta(ge=300, le=366 * _DAY), _says("A session that is not used for this long has ended.")
    ] = Duration(30 * _DAY)
    max_sessions: Annotated[
        int, Meta(ge=1, le=1000), _says("Sessions of one person; one more ends the one used longest ago.")
    ] = 20
    signing_key_file: Annotated[
        str,
        _says("PEM file of the Ed25519 or RSA private key that signs access tokens; empty: HS256 from the secret."),
    ] = ""
    verifying_key_files: Annotated[
        tuple[str, ...], _says("PEM files of further public keys that are believed, while keys are being changed.")
    ] = ()


class Database(Section, frozen=True):
    """The relational store: accounts, conversations, calls, files, jobs."""

    url: Annotated[
        Secret,
        _says("Empty: SQLite in data_dir. Else postgresql://user:password@host/name or cockroachdb://..."),
    ] = Secret()
    replica_urls: Annotated[tuple[Secret, ...], _says("Read replicas, used where slightly old data will do.")] = ()
    tls: Annotated[bool, _says("Require TLS with a verified certificate.")] = False
    tls_ca: Annotated[str, _says("File of the certificate authority; empty: the system's.")] = ""
    pool_size: Annotated[int, Meta(ge=1, le=500), _says("Connections kept open.")] = 10
    pool_overflow: Annotated[int, Meta(ge=0, le=500), _says("Connections opened beyond that under load.")] = 10
    timeout: Annotated[
        Duration, _TIMEOUT, _says("A transaction, waiting for a connection included, fails after this.")
    ] = Duration(5)
    migrate_on_start: Annotated[
        bool, _says("Bring the schema up to date at start-up; off: `secureconnect db upgrade`.")
    ] = True
    cache_ttl: Annotated[
        Duration,
        Meta(ge=0, le=3600),
        _says("How long hot rows may be served from memory; 0s turns the read cache off."),
    ] = Duration(0)
    cache_size: Annotated[int, Meta(ge=1, le=100_000_000), _says("Entries in the read cache.")] = 10_000


class Messages(Section, frozen=True):
    """The message log."""

    cassandra_hosts: Annotated[
        tuple[str, ...],
        _says("Contact points of a Cassandra cluster; empty: the log is kept in the relational store."),
    ] = ()
    cassandra_port: Annotated[int, Meta(ge=1, le=65535), _says("Port of the CQL protocol.")] = 9042
    keyspace: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$"), _says("Keyspace, created when missing.")] = (
        "secureconnect"
    )
    replication_factor: Annotated[
        int, Meta(ge=1, le=9), _says("Copies per data centre when the keyspace is created.")
    ] = 3
    local_datacenter: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$"),
        _says("Data centre to talk to; empty: that of the first contact point."),
    ] = ""
    username: Annotated[str, _says("Cassandra user; empty: none.")] = ""
    password: Annotated[Secret, _says("Cassandra password.")] = Secret()
    tls: Annotated[bool, _says("Require TLS with a verified certificate.")] = False
    tls_ca: Annotated[str, _says("File of the certificate authority; empty: the system's.")] = ""
    timeout: Annotated[Duration, _TIMEOUT, _says("A read or write fails after this.")] = Duration(5)
    bucket: Annotated[
        Duration,
        Meta(ge=3600, le=366 * _DAY),
        _says("Time span of one Cassandra partition of a conversation; fixed once data exists."),
    ] = Duration(10 * _DAY)


class Redis(Section, frozen=True):
    """Shared state of several nodes: rate limits, presence, locks, the event bus."""

    url: Annotated[Secret, _says("Empty: in this process. Else redis://host:6379/0, or rediss:// for TLS.")] = Secret()
    tls_ca: Annotated[str, _says("File of the certificate authority; empty: the system's.")] = ""
    prefix: Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,32}$"), _says("Begins every key and channel.")] = "sc"
    pool_size: Annotated[
        int,
        Meta(ge=3, le=64),
        _says("Connections at most. Commands share them without waiting for each other: a few are enough."),
    ] = 6
    durable_streams: Annotated[
        bool,
        _says("Keep event histories in Redis rather than in the database; only for a Redis that persists (AOF)."),
    ] = False
    timeout: Annotated[Duration, _TIMEOUT, _says("A command fails after this.")] = Duration(2)


class Objects(Section, frozen=True):
    """Files and recordings."""

    endpoint: Annotated[
        str,
        _says("Empty: a directory in data_dir. Else the URL of an S3 server, such as https://minio:9000."),
    ] = ""
    public_endpoint: Annotated[str, _says("The S3 server's URL as clients reach it; empty: the same.")] = ""
    region: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,64}$"), _says("S3 region.")] = "us-east-1"
    addressing: Annotated[
        Literal["path", "host"],
        _says("Where a URL names the bucket: path for MinIO, Swift and most; host (bucket.s3.example.org) for AWS."),
    ] = "path"
    bucket: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$"), _says("Bucket, created when missing.")] = (
        "secureconnect"
    )
    access_key: Annotated[str, _says("S3 access key.")] = ""
    secret_key: Annotated[Secret, _says("S3 secret key.")] = Secret()
    tls_ca: Annotated[str, _says("File of the certificate authority; empty: the system's.")] = ""
    connections: Annotated[int, Meta(ge=1, le=1000), _says("Connections to the S3 server at most.")] = 50
    timeout: Annotated[Duration, _TIMEOUT, _says("A request without a body to move fails after this.")] = Duration(10)
    stall_timeout: Annotated[Duration, _TIMEOUT, _says("A transfer that moves no byte for this long fails.")] = (
        Duration(20)
    )
    max_size: Annotated[Size, Meta(ge=1 << 10, le=5 << 40), _says("Largest object.")] = Size(100 << 20)
    upload_url_ttl: Annotated[Duration, _URL_LIFE, _says("Life of a signed upload URL.")] = Duration(15 * 60)
    download_url_ttl: Annotated[Duration, _URL_LIFE, _says("Life of a signed download URL.")] = Duration(3600)


class Mail(Section, frozen=True):
    """Outgoing mail."""

    host: Annotated[str, _says("SMTP server; empty: mail is written to data_dir/outbox and its links printed.")] = ""
    port: Annotated[int, Meta(ge=1, le=65535), _says("SMTP port.")] = 587
    security: Annotated[Literal["starttls", "tls", "none"], _says("How the connection is protected.")] = "starttls"
    tls_ca: Annotated[str, _says("File of the certificate authority; empty: the system's.")] = ""
    username: Annotated[str, _says("SMTP user; empty: no login.")] = ""
    password: Annotated[Secret, _says("SMTP password.")] = Secret()
    sender: Annotated[str, _says("Address (and name) mail comes from.")] = "SecureConnect <no-reply@localhost>"
    timeout: Annotated[Duration, _TIMEOUT, _says("A delivery attempt fails after this.")] = Duration(15)


class Jobs(Section, frozen=True):
    """Background work."""

    workers: Annotated[int, Meta(ge=1, le=256), _says("Jobs run at the same time on this node.")] = 16
    batch: Annotated[int, Meta(ge=1, le=1000), _says("Jobs claimed at a time.")] = 64
    lease: Annotated[Duration, Meta(ge=1, le=3600), _says("A job whose node died is taken over after this.")] = (
        Duration(30)
    )
    poll: Annotated[
        Duration, Meta(ge=0.01, le=60), _says("How often to look for jobs that other nodes queued or that became due.")
    ] = Duration(1)
    keep_done: Annotated[
        Duration, Meta(ge=60, le=366 * _DAY), _says("How long finished jobs stand guard against a repeated key.")
    ] = Duration(_DAY)
    timeout: Annotated[Duration, Meta(ge=1, le=_DAY), _says("A single attempt of a job fails after this.")] = Duration(
        300
    )


class Logging(Section, frozen=True):
    """Structured logs."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _says("Least severe level that is written.")] = (
        "info"
    )
    format: Annotated[Literal["auto", "json", "text"], _says("auto: text on a terminal, JSON elsewhere.")] = "auto"
    file: Annotated[str, _says("Also write JSON to this file, rotated; empty: only to standard error.")] = ""
    max_size: Annotated[Size, Meta(ge=64 << 10, le=10 << 30), _says("A log file is rotated at this size.")] = Size(
        50 << 20
    )
    keep: Annotated[int, Meta(ge=1, le=100), _says("Rotated files kept.")] = 5
    access: Annotated[bool, _says("A line per request.")] = True


class Telemetry(Section, frozen=True):
    """Metrics, traces and stall detection."""

    metrics_token: Annotated[Secret, _says("Bearer token for /metrics; empty: only loopback may read it.")] = Secret()
    otlp_endpoint: Annotated[str, _says("OTLP/HTTP collector, such as http://otel:4318; empty: traces are off.")] = ""
    sample_ratio: Annotated[float, Meta(ge=0.0, le=1.0), _says("Share of traces that start here and are kept.")] = 0.1
    service_name: Annotated[str, Meta(min_length=1, max_length=64), _says("Name in traces.")] = "secureconnect"
    stall_threshold: Annotated[
        Duration, Meta(ge=0.01, le=60), _says("An event loop that is blocked this long logs the stack that blocks it.")
    ] = Duration(0.25)


class Settings(Section, frozen=True):
    """The whole configuration; only the composition root sees it."""

    server: Server = Server()
    media: Media = Media()
    limits: Limits = Limits()
    security: Security = Security()
    identity: Identity = Identity()
    database: Database = Database()
    messages: Messages = Messages()
    redis: Redis = Redis()
    objects: Objects = Objects()
    mail: Mail = Mail()
    jobs: Jobs = Jobs()
    logging: Logging = Logging()
    telemetry: Telemetry = Telemetry()
