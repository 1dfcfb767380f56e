"""Cassandra 5: one node as a plain Java process, small heap, alone in its ring so that it waits for nobody."""

from __future__ import annotations

import signal
import socket

from tests.services.process import Service, Session, free_port
from tooling import provision

# Every write is on disk before it is acknowledged: with one node there is no replica to remember it after a kill.
CONFIGURATION = """
cluster_name: tests
num_tokens: 1
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{host}:{storage_port}"}}]
listen_address: {host}
rpc_address: {host}
storage_port: {storage_port}
native_transport_port: {port}
commitlog_sync: batch
commitlog_segment_size: 8MiB
commitlog_total_space: 64MiB
memtable_heap_space: 96MiB
memtable_offheap_space: 64MiB
key_cache_size: 8MiB
networking_cache_size: 16MiB
file_cache_enabled: false
concurrent_reads: 8
concurrent_writes: 16
concurrent_compactors: 1
auto_snapshot: false
incremental_backups: false
hinted_handoff_enabled: false
"""

LOGGING = """
<configuration>
  <appender name="console" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %-5level %logger{20} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="console"/></root>
</configuration>
"""

# What Cassandra reaches into on a JDK with modules.
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
)
OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
# The compiler's first tier only and one collector thread: it starts sooner, and the tests share two cores with it.
MACHINE = (
    "-Xms512m",
    "-Xmx512m",
    "-Xss512k",
    "-XX:MaxDirectMemorySize=192m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+PerfDisableSharedMem",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djdk.attach.allowAttachSelf=true",
)
ALONE = {
    "cassandra.ring_delay_ms": "0",
    "cassandra.skip_wait_for_gossip_to_settle": "0",
    "cassandra.superuser_setup_delay_ms": "0",
    "cassandra.consistent.rangemovement": "false",
    "cassandra-foreground": "yes",
}

OPTIONS_REQUEST = bytes([4, 0, 0, 0, 5, 0, 0, 0, 0])
SUPPORTED = 6


class CassandraService(Service):
    name = "cassandra"
    datacenter = "datacenter1"
    start_timeout = 120.0
    # Asked politely it drains its tables for seconds, into a directory that is deleted next.
    stop_signal = signal.SIGKILL

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._configuration = self.directory / "cassandra.yaml"
        self._configuration.write_text(CONFIGURATION.format(host=self.host, port=self.port, storage_port=free_port()))
        self._logging = self.directory / "logback.xml"
        self._logging.write_text(LOGGING)

    @property
    def hosts(self) -> list[str]:
        return [self.host]

    def command(self) -> list[str]:
        jars = provision.cassandra_jars()
        (measurer,) = jars.glob("jamm-*.jar")
        properties = {
            **ALONE,
            "cassandra.config": f"file://{self._configuration}",
            "cassandra.storagedir": str(self.directory / "data"),
            "logback.configurationFile": str(self._logging),
            "java.io.tmpdir": str(self.directory),
        }
        return [
            provision.java(),
            *MACHINE,
            *(word for name in EXPORTS for word in ("--add-exports", f"{name}=ALL-UNNAMED")),
            *(word for name in OPENS for word in ("--add-opens", f"{name}=ALL-UNNAMED")),
            f"-javaagent:{measurer}",
            *(f"-D{key}={value}" for key, value in properties.items()),
            "-cp",
            f"{jars}/*",
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def answers(self) -> bool:
        """The native protocol is the last thing it opens, once it can serve."""
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                connection.sendall(OPTIONS_REQUEST)
                reply = connection.recv(9)
                return len(reply) > 4 and reply[4] == SUPPORTED
        except OSError:
            return False
