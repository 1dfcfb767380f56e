"""What opening an object store answers, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.health import Dependency
from kernel.objects import MultipartUploads, Objects, ObjectSigner


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The ports of one store; ``signs_own_urls`` says that this process has to serve the signed URLs itself."""

    objects: Objects
    signer: ObjectSigner
    multipart: MultipartUploads
    dependency: Dependency
    signs_own_urls: bool
