"""The object store: a directory of this machine, or an S3 server. ``open_objects`` chooses."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from adapters.objects.local import open_local
from adapters.objects.store import ObjectStore
from config import sections
from kernel.clock import Clock
from kernel.metrics import Metrics

__all__ = ["ObjectStore", "open_objects"]


def open_objects(
    settings: sections.Objects,
    *,
    data_dir: Path,
    signing_key: bytes,
    base_url: str,
    clock: Clock,
    metrics: Metrics,
) -> AbstractAsyncContextManager[ObjectStore]:
    """``signing_key`` and ``base_url`` (where this process is reached) are for the local store's signed URLs."""
    if settings.endpoint:
        from adapters.objects.s3 import open_s3  # noqa: PLC0415 - only who uses a store pays for importing its client

        return open_s3(settings, clock=clock, metrics=metrics)
    return open_local(
        settings, data_dir=data_dir, signing_key=signing_key, base_url=base_url, clock=clock, metrics=metrics
    )
