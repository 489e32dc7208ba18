"""What the service answers when it does not do what was asked: one shape, one code for each reason."""

from hashformer.errors import HashFormerError


class RefusedError(HashFormerError):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        code: The reason as one word, for programs.
        retry_after_s: When to try again, if that helps.
        close: Whether the connection is closed after the answer, because the rest of the body is unwanted.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after_s: int | None = None, close: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.close = close

    @property
    def body(self) -> dict[str, dict[str, str]]:
        """The answer as JSON says it."""
        return {"detail": {"code": self.code, "message": str(self)}}

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body."""
        headers = {"Cache-Control": "no-store"}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if self.close:
            headers["Connection"] = "close"
        return headers
