"""OpenStack Swift with its S3 API, all of it in one process: ``python swift_server.py <settings file>``.

Runs in Swift's own environment, started by tests.services.swift from a copy that the unprivileged account can read.
The usual four daemons are only WSGI applications; together in one process they start fast and die together.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402 - what it imports must find the patched modules
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.utils import set_swift_dir  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
DIRECTORY = Path(SETTINGS["directory"])
HASHES = "[swift-hash]\nswift_hash_path_prefix = tests\nswift_hash_path_suffix = tests\n"
STORES = ("account", "container", "object")
STORE = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR

[app:main]
use = egg:swift#{kind}
"""

# S3 before everything that serves Swift's own API only; slo carries multipart uploads, copy carries CopyObject.
FILTERS = ("catch_errors", "healthcheck", "listing_formats", "bulk", "s3api", "tempauth", "copy", "slo")
PROXY = """
[DEFAULT]
swift_dir = {directory}
log_level = ERROR

[pipeline:main]
pipeline = {filters} proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""
FILTER = """
[filter:{name}]
use = egg:swift#{name}
"""
FILTER_SETTINGS = {
    "s3api": "location = {region}\n",
    "tempauth": "user_{account}_{user} = {secret_key} .admin\n",
}


def write_ring(kind: str, port: int) -> None:
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    place = {"ip": SETTINGS["host"], "port": port}
    replication = {"replication_ip": SETTINGS["host"], "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", **place, **replication})
    builder.rebalance()
    builder.get_ring().save(str(DIRECTORY / f"{kind}.ring.gz"))


def configuration(kind: str) -> Path:
    if kind == "proxy":
        account, user = SETTINGS["access_key"].split(":")
        values = {**SETTINGS, "account": account, "user": user, "filters": " ".join(FILTERS)}
        filters = (FILTER.format(name=name) + FILTER_SETTINGS.get(name, "").format(**values) for name in FILTERS)
        text = PROXY.format(**values) + "".join(filters)
    else:
        text = STORE.format(directory=DIRECTORY, kind=kind)
    path = DIRECTORY / f"{kind}.conf"
    path.write_text(text)
    return path


def serve(kind: str, port: int) -> eventlet.greenthread.GreenThread:
    application = loadapp(str(configuration(kind)))
    listener = eventlet.listen((SETTINGS["host"], port), backlog=512)
    with Path(os.devnull).open("w") as nowhere:
        return eventlet.spawn(
            wsgi.server,
            listener,
            application,
            nowhere,
            protocol=SwiftHttpProtocol,
            log_output=False,
            # Clients of S3 look for "ETag", which capitalising would turn into "Etag".
            capitalize_response_headers=False,
        )


def main() -> None:
    warnings.filterwarnings("ignore", message="capitalize_response_headers is disabled")
    (DIRECTORY / "swift.conf").write_text(HASHES)
    set_swift_dir(str(DIRECTORY))
    (DIRECTORY / "devices" / "disk").mkdir(parents=True, exist_ok=True)
    for kind in STORES:
        write_ring(kind, SETTINGS["ports"][kind])
    running = [serve(kind, port) for kind, port in SETTINGS["ports"].items()]
    for server in running:
        server.wait()


main()
