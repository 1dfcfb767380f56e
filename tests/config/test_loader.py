"""Layers, and what a person is told about each way of getting them wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.kinds import Kind, Many, Number, Quantity, Switch, Text, Whole
from config.loader import load_configuration, load_settings
from config.problems import ConfigError
from config.schema import all_keys
from config.sections import Settings
from config.values import Duration, Secret, Size
from tests.config.reading import Reading


def test_nothing_has_to_be_configured() -> None:
    assert load_settings(file=None, environ={"PATH": "/bin", "HOME": "/root"}) == Settings()


def test_the_environment_overrides_the_file_and_the_file_the_defaults(reading: Reading) -> None:
    toml = '[server]\nport = 9000\nhost = "::1"\n'
    server = reading.settings(toml, {"SECURECONNECT_SERVER_PORT": "8090"}).server
    assert (server.port, server.host, server.media_port) == (8090, "::1", 8081)


def test_every_kind_is_read_from_the_file(reading: Reading) -> None:
    settings = reading.settings(
        """
        [server]
        environment = "development"
        allowed_origins = ["https://a.example", "https://b.example:8443"]
        request_timeout = "1m"
        [limits]
        enabled = false
        body = "64KiB"
        [telemetry]
        sample_ratio = 1
        metrics_token = "shh"
        """
    )
    assert settings.server.allowed_origins == ("https://a.example", "https://b.example:8443")
    assert settings.server.request_timeout == Duration(60)
    assert (settings.limits.enabled, settings.limits.body) == (False, Size(65536))
    assert settings.telemetry.sample_ratio == 1.0
    assert settings.telemetry.metrics_token.reveal() == "shh"


def test_every_kind_is_read_from_the_environment(reading: Reading) -> None:
    settings = reading.settings(
        environ={
            "SECURECONNECT_SERVER_ALLOWED_ORIGINS": "https://a.example, https://b.example:8443",
            "SECURECONNECT_SERVER_REQUEST_TIMEOUT": "45s",
            "SECURECONNECT_LIMITS_ENABLED": "False",
            "SECURECONNECT_LIMITS_BODY": "2MiB",
            "SECURECONNECT_TELEMETRY_SAMPLE_RATIO": "0.5",
            "SECURECONNECT_DATABASE_URL": "postgresql://u@h/n",
            "SECURECONNECT_DATABASE_REPLICA_URLS": "postgresql://u@r1/n,postgresql://u@r2/n",
        }
    )
    assert settings.server.allowed_origins == ("https://a.example", "https://b.example:8443")
    assert settings.server.request_timeout == Duration(45)
    assert (settings.limits.enabled, settings.limits.body) == (False, Size(2 << 20))
    assert settings.telemetry.sample_ratio == 0.5
    assert settings.database.replica_urls == (Secret("postgresql://u@r1/n"), Secret("postgresql://u@r2/n"))


def test_an_empty_list_in_the_environment_clears_the_one_of_the_file(reading: Reading) -> None:
    toml = '[server]\ntrusted_proxies = ["10.0.0.0/8"]\n'
    assert reading.settings(toml, {"SECURECONNECT_SERVER_TRUSTED_PROXIES": ""}).server.trusted_proxies == ()


_printable = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs", "Cc"]))


@given(
    st.one_of(
        st.tuples(st.just(Text()), _printable),
        st.tuples(st.just(Many(Text())), st.lists(_printable).map(tuple)),
        st.tuples(st.just(Whole()), st.integers(-(1 << 62), 1 << 62)),
        st.tuples(st.just(Number()), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(Switch()), st.booleans()),
        st.tuples(st.just(Quantity(Duration)), st.floats(1e-9, 1e9).map(Duration)),
        st.tuples(st.just(Quantity(Size)), st.integers(0, 1 << 62).map(Size)),
    )
)
def test_a_value_written_as_toml_reads_back_as_the_same_value(case: tuple[Kind, object]) -> None:
    kind, value = case
    assert kind.from_toml(tomllib.loads(f"x = {kind.to_toml(value)}")["x"]) == value


# --- secrets in files -------------------------------------------------------------------------------------


def test_a_value_can_be_kept_in_a_file_that_the_environment_names(reading: Reading, tmp_path: Path) -> None:
    secret = tmp_path / "db"
    secret.write_text("postgresql://u:p%40ss@h/n\n")
    port = tmp_path / "port"
    port.write_text("8090\r\n")
    settings = reading.settings(
        environ={"SECURECONNECT_DATABASE_URL_FILE": str(secret), "SECURECONNECT_SERVER_PORT_FILE": str(port)}
    )
    assert settings.database.url.reveal() == "postgresql://u:p%40ss@h/n"
    assert settings.server.port == 8090


def test_the_file_names_files_for_secrets(reading: Reading, tmp_path: Path) -> None:
    replicas = tmp_path / "replicas"
    replicas.write_text("postgresql://u@r1/n\npostgresql://u@r2/n\n")
    toml = f'[database]\nurl = "postgresql://u@h/n"\nreplica_urls_file = "{replicas}"\n'
    assert [url.reveal() for url in reading.settings(toml).database.replica_urls] == [
        "postgresql://u@r1/n",
        "postgresql://u@r2/n",
    ]


def test_only_the_last_newline_of_a_file_is_taken_off(reading: Reading, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(" " + "s" * 40 + " \n")
    settings = reading.settings(environ={"SECURECONNECT_SECURITY_SECRET_FILE": str(secret)})
    assert settings.security.secret.reveal() == " " + "s" * 40 + " "


def test_a_key_and_its_file_together_are_refused_in_the_environment(reading: Reading, tmp_path: Path) -> None:
    variables = {"SECURECONNECT_MAIL_HOST": "a", "SECURECONNECT_MAIL_HOST_FILE": str(tmp_path / "x")}
    problem = reading.problem(environ=variables)
    assert problem.key == "mail.host"
    assert "both SECURECONNECT_MAIL_HOST and SECURECONNECT_MAIL_HOST_FILE are set" in problem.message


def test_a_key_and_its_file_together_are_refused_in_the_file(reading: Reading) -> None:
    problem = reading.problem('[security]\nsecret = "shh"\nsecret_file = "/x"\n')
    # The short secret is not worth a second complaint: which of the two is meant is not known yet.
    assert problem.key == "security.secret"
    assert "both security.secret and security.secret_file are set" in problem.message


def test_a_file_in_the_environment_replaces_the_value_of_the_file_layer(reading: Reading, tmp_path: Path) -> None:
    secret = tmp_path / "s"
    secret.write_text("n" * 40)
    settings = reading.settings(
        f'[security]\nsecret = "{"o" * 40}"\n', {"SECURECONNECT_SECURITY_SECRET_FILE": str(secret)}
    )
    assert settings.security.secret.reveal() == "n" * 40


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x" * 70_000, "is larger than"),
        (b"two\nlines\n", "contains a line break"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_explained(
    reading: Reading, tmp_path: Path, content: bytes | None, message: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    variable = "SECURECONNECT_SECURITY_SECRET_FILE"
    problem = reading.problem(environ={variable: str(secret)})
    assert (problem.key, problem.source) == ("security.secret", f"environment variable {variable}")
    assert message in problem.message


def test_a_directory_an_empty_name_and_a_name_of_nonsense_are_no_files(reading: Reading, tmp_path: Path) -> None:
    for name, message in ((str(tmp_path), "cannot be read"), ("", "names no file"), ("a\0b", "cannot be read")):
        assert message in reading.problem(environ={"SECURECONNECT_MAIL_PASSWORD_FILE": name}).message


def test_only_secrets_are_read_from_files_that_the_file_names(reading: Reading) -> None:
    problem = reading.problem('[server]\nport_file = "/x"\n')
    assert "only secrets are read from files this way; set server.port itself" in problem.message


def test_the_path_of_a_secret_file_is_text(reading: Reading) -> None:
    assert "is not the path of a file" in reading.problem("[security]\nsecret_file = 5\n").message


# --- unknown names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("toml", "key", "hint"),
    [
        ("[server]\nprot = 1\n", "server.prot", "did you mean server.port?"),
        ("[sever]\nport = 1\n", "sever", "did you mean server?"),
        ("port = 1\n", "port", "did you mean the key server.port or mail.port?"),
        ('[database]\nurl_fil = "x"\n', "database.url_fil", "did you mean database.url"),
        ("[server]\nqqqqqqqq = 1\n", "server.qqqqqqqq", "there is no such key"),
        ("[qqqqqqqq]\n", "qqqqqqqq", "there is no such section"),
        ("server = 5\n", "server", "write [server]"),
    ],
)
def test_unknown_names_in_the_file_are_errors_with_the_nearest_one(
    reading: Reading, toml: str, key: str, hint: str
) -> None:
    problem = reading.problem(toml)
    assert problem.key == key
    assert hint in problem.message
    assert problem.source.startswith(f"{reading.file}:")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("SECURECONNECT_SERVR_PORT", "did you mean SECURECONNECT_SERVER_PORT?"),
        ("SECURECONNECT_PORT", "did you mean SECURECONNECT_SERVER_PORT or SECURECONNECT_MAIL_PORT?"),
        ("SECURECONNECT_CONFG", "did you mean SECURECONNECT_CONFIG?"),
        ("SECURECONNECT_SECURITY_SECRETFILE", "did you mean SECURECONNECT_SECURITY_SECRET_FILE?"),
        ("SECURECONNECT_", "there is no such setting"),
        ("SECURECONNECT_server_port", "there is no such setting"),
    ],
)
def test_unknown_variables_are_errors_with_the_nearest_one_and_without_their_value(
    reading: Reading, variable: str, hint: str
) -> None:
    problem = reading.problem(environ={variable: "hunter2"})
    assert problem.key == variable
    assert hint in problem.message
    assert "hunter2" not in str(problem)


def test_the_addresses_that_kubernetes_adds_are_not_settings(reading: Reading) -> None:
    links = {
        "SECURECONNECT_SERVICE_HOST": "10.0.0.7",
        "SECURECONNECT_SERVICE_PORT": "8080",
        "SECURECONNECT_SERVICE_PORT_HTTP": "8080",
        "SECURECONNECT_PORT": "tcp://10.0.0.7:8080",
        "SECURECONNECT_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "SECURECONNECT_PORT_8080_TCP_ADDR": "10.0.0.7",
        "SECURECONNECT_REDIS_SERVICE_HOST": "10.0.0.8",
        "SECURECONNECT_REDIS_PORT": "tcp://10.0.0.8:6379",
    }
    assert reading.settings(environ=links) == Settings()


def test_no_key_can_be_mistaken_for_the_file_of_another() -> None:
    variables = [key.variable for key in all_keys().values()]
    named = [*variables, *(key.file_variable for key in all_keys().values())]
    assert len(set(named)) == len(named)


# --- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "raw", "said"),
    [
        ("server.port", "65536", "65536 is not a whole number from 0 to 65535"),
        ("server.port", '"8080"', "'8080' is not a whole number"),
        ("server.port", "true", "true is not a whole number"),
        ("server.port", "80.0", "80.0 is not a whole number"),
        ("server.host", "5", "5 is not text"),
        ("server.host", '"http://x"', "'http://x' is not text matching"),
        ("server.data_dir", '""', "'' is not text that is not empty"),
        ("server.data_dir", '"a\\nb"', "contains a line break"),
        ("server.environment", '"prodction"', "did you mean production?"),
        ("server.environment", "1", "1 is not one of development, production"),
        ("server.request_timeout", "30", "30 has no unit: it is not a duration"),
        ("server.request_timeout", '"0s"', "'0s' is not a duration such as \"15m\" from 50ms to 1h"),
        ("server.request_timeout", '"2h"', "'2h' is not a duration"),
        ("server.request_timeout", '"soon"', "'soon' is not a duration"),
        ("limits.body", "1048576", "1048576 has no unit: it is not a size"),
        ("limits.body", '"1B"', "'1B' is not a size such as \"100MiB\" from 1KiB to 1GiB"),
        ("limits.login", "0", "0 is not a whole number from 1"),
        ("limits.enabled", '"yes"', "'yes' is not true or false"),
        ("limits.enabled", "1", "1 is not true or false"),
        ("telemetry.sample_ratio", "1.5", "1.5 is not a number from 0.0 to 1.0"),
        ("telemetry.sample_ratio", "nan", "nan is not a number"),
        ("telemetry.sample_ratio", "true", "true is not a number"),
        ("server.allowed_origins", '"https://a.example"', "'https://a.example' is not a list"),
        ("server.allowed_origins", "[5]", "5 is not text"),
        ("messages.keyspace", '"Robert; DROP"', "is not text matching"),
    ],
)
def test_a_wrong_value_is_shown_with_its_line_and_what_is_expected(
    reading: Reading, key: str, raw: str, said: str
) -> None:
    section, _, name = key.partition(".")
    problem = reading.problem(f"# a comment\n[{section}]\n{name} = {raw}\n")
    assert (problem.key, problem.source) == (key, f"{reading.file}:3")
    assert said in problem.message


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("server.port", "eighty", "'eighty' is not a whole number from 0 to 65535"),
        ("server.port", "1_000", "'1_000' is not a whole number"),
        ("server.port", " 80", "' 80' is not a whole number"),
        ("server.port", "", "'' is not a whole number"),
        ("limits.enabled", "yes", "'yes' is not true or false"),
        ("limits.body", "5", "'5' is not a size"),
        ("telemetry.sample_ratio", "nan", "'nan' is not a number"),
        ("mail.security", "ssl", "'ssl' is not one of starttls, tls, none"),
    ],
)
def test_a_wrong_variable_is_shown_with_its_name_and_what_is_expected(
    reading: Reading, key: str, text: str, said: str
) -> None:
    problem = reading.problem(environ={all_keys()[key].variable: text})
    assert (problem.key, problem.source) == (key, f"environment variable {all_keys()[key].variable}")
    assert said in problem.message


@pytest.mark.parametrize("key", [key.path for key in all_keys().values() if key.is_secret])
@pytest.mark.parametrize("raw", ['{ x = "hunter2-" }', '"hunter2-\\nx"', '["hunter2-", 5]', '"hunter2-"'])
def test_no_message_repeats_a_secret(reading: Reading, key: str, raw: str) -> None:
    section, _, name = key.partition(".")
    toml = f'[server]\nenvironment = "production"\n[{section}]\n{name} = {raw}\n'
    with pytest.raises(ConfigError) as raised:
        reading.settings(toml)
    assert "hunter2" not in str(raised.value)
    assert any(problem.key == key for problem in raised.value.problems)


def test_long_values_are_cut_in_messages(reading: Reading) -> None:
    assert len(reading.problem(f'[server]\nport = "{"9" * 10_000}"\n').message) < 200


def test_every_problem_is_reported_at_once(reading: Reading) -> None:
    problems = reading.problems(
        '[server]\nport = "x"\nmedia_prot = 5\n[nothing]\n[mail]\nsender = "nobody"\n[security]\nsecret = "short"\n',
        {"SECURECONNECT_LIMITS_LOGIN": "0", "SECURECONNECT_WHAT": "?", "SECURECONNECT_REDIS_URL": "http://x"},
    )
    assert set(problems) == {
        "server.port", "server.media_prot", "nothing", "mail.sender", "security.secret",
        "limits.login", "SECURECONNECT_WHAT", "redis.url",
    }  # fmt: skip


def test_a_rule_is_silent_about_a_key_that_could_not_be_read(reading: Reading) -> None:
    toml = '[server]\nenvironment = "production"\npublic_url = 5\n'
    assert set(reading.problems(toml)) == {"server.public_url"}


def test_every_duration_says_how_short_it_may_be() -> None:
    quantities = {key.path: key.kind for key in all_keys().values() if isinstance(key.kind, Quantity)}
    zero_turns_off = {"database.cache_ttl"}
    unbounded = {path for path, kind in quantities.items() if not kind.bounds.low}
    assert unbounded == zero_turns_off


# --- the file itself --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[server\n", "not valid TOML"),
        (b"a = 1\na = 2\n", "not valid TOML"),
        (b"\xff\xfe[server]", "is not UTF-8"),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"#" * (2 << 20), "is larger than"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_problem(reading: Reading, content: bytes, message: str) -> None:
    reading.file.write_bytes(content)
    # Production would complain about what the file may well say: without the file nobody knows.
    with pytest.raises(ConfigError) as raised:
        load_settings(file=reading.file, environ={"SECURECONNECT_SERVER_ENVIRONMENT": "production"})
    (problem,) = raised.value.problems
    assert problem.key == str(reading.file)
    assert message in problem.message


def test_an_editors_byte_order_mark_does_no_harm(reading: Reading) -> None:
    assert reading.settings("\ufeff[server]\nport = 9000\n").server.port == 9000


def test_a_file_that_was_asked_for_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_settings(file=tmp_path / "absent.toml", environ={})


def test_the_file_is_the_argument_else_the_variable_else_the_one_in_the_directory(tmp_path: Path) -> None:
    for name, number in (("argument", 1), ("variable", 2), ("secureconnect", 3)):
        (tmp_path / f"{name}.toml").write_text(f"[server]\nport = {number}\n")
    environ = {"SECURECONNECT_CONFIG": str(tmp_path / "variable.toml")}
    elsewhere = tmp_path / "elsewhere"

    def port(file: Path | None, environ: dict[str, str], directory: Path) -> int:
        return load_configuration(file, environ, directory=directory).settings.server.port

    assert port(tmp_path / "argument.toml", environ, tmp_path) == 1
    assert port(None, environ, tmp_path) == 2
    assert port(None, {"SECURECONNECT_CONFIG": ""}, tmp_path) == 3
    assert port(None, {}, elsewhere) == 8080


def test_every_value_knows_where_it_came_from(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[server]\nport = 9000\nmedia_port=9001\n")
    configuration = load_configuration(file, {"SECURECONNECT_SERVER_PORT": "8090"}, directory=tmp_path)
    assert configuration.origins["server.port"] == "environment variable SECURECONNECT_SERVER_PORT"
    assert configuration.origins["server.media_port"] == f"{file}:3"
    assert configuration.origins["server.host"] == "default"
    assert set(configuration.origins) == set(all_keys())
