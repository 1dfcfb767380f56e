"""The Lua that runs inside Redis. Every script touches the keys it is handed and no others, and those share a hash
tag, so that a cluster would place them together; but for SET_MEMBERS, which reads many sets as MGET reads keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """Called by its digest; the text is sent only when the server does not know it (any more)."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # Redis names scripts by SHA-1; nothing rests on it.
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


def source(name: str) -> str:
    return files("adapters.redis").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")


TAKE = Script(source("bucket") + source("take"))
INCREMENT = Script(source("increment"))
SET_ADD = Script(source("set_add"))
SET_REMOVE = Script(source("set_remove"))
SET_MEMBERS = Script(source("set_members"))
LOCK_ACQUIRE = Script(source("lock_acquire"))
LOCK_RENEW = Script(source("lock_renew"))
LOCK_RELEASE = Script(source("lock_release"))
STREAM_APPEND = Script(source("stream_append"))
STREAM_TRIM = Script(source("stream_trim"))
EPOCH = Script(source("epoch"))
