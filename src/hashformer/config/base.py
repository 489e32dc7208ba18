"""The base of every config: frozen, checked, and helpful about a key that it does not know."""

import difflib
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hashformer.errors import ConfigError


class Settings(BaseModel):
    """A frozen group of settings. Build it from untrusted data with `parse`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, data: dict[str, Any], *, source: str = "config") -> Self:
        """Check `data` and build the settings.

        Args:
            data: Nested plain values, as YAML or JSON gives them.
            source: Where they come from; named in the error.

        Raises:
            ConfigError: Names each wrong key or value; an unknown key is offered its nearest name.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            lines = [f"{source}: {_explain(cls, problem)}" for problem in error.errors()]
            raise ConfigError("\n".join(lines)) from None


def _explain(cls: type[BaseModel], problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    name = ".".join(path) or "the whole"
    if problem["type"] != "extra_forbidden":
        return f"{name}: {problem['msg']}, got {problem['input']!r}"
    known = _fields_at(cls, path[:-1])
    close = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
    return f"{name}: unknown key; {hint}"


def _fields_at(cls: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = cls.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        cls = field.annotation
    return sorted(cls.model_fields)
