"""API keys: compared in a time that tells nothing about them."""

import hashlib
import hmac
from collections.abc import Sequence

from hashformer.service.refusals import RefusedError


class KeyRing:
    """The keys that open the service; without any it is open to all.

    Args:
        keys: In plain text; only their hashes are kept.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    @property
    def is_needed(self) -> bool:
        """Whether requests must carry a key."""
        return bool(self._digests)

    def check(self, given: str | None) -> None:
        """Let a request with this key pass.

        Args:
            given: The key as the header holds it, or None.

        Raises:
            RefusedError: 401 if a key is needed and this is none.
        """
        if not self._digests:
            return
        # Header text is Latin-1 on the wire, whatever was meant.
        digest = hashlib.sha256((given or "").encode("latin-1", errors="replace")).digest()
        # All are compared, the first match or not: the time must not tell which it was.
        if sum(hmac.compare_digest(digest, known) for known in self._digests) == 0:
            what = "no API key was sent" if given is None else "the API key is not known"
            raise RefusedError(401, "unauthorized", f"{what}. Send the header `Authorization: Bearer KEY`.")
