"""What the inputs and outputs of the graph are called, and which extra brings ONNX."""

from collections.abc import Mapping
from importlib.util import find_spec

from torch import Tensor

from hashformer.errors import SetupError
from hashformer.types import ModelOutput, Seen

PRESENT = "present."
"""Before a stream's name: its presence mask among the inputs."""
_ONE = "value"


def check_installed(*packages: str) -> None:
    """Refuse to begin without packages of the extra.

    Raises:
        SetupError: Naming what is missing and how to install it.
    """
    if lacking := [name for name in packages if find_spec(name) is None]:
        raise SetupError(f"{' and '.join(lacking)} cannot be imported. Install it: pip install 'hashformer[onnx]'.")


def flatten(output: ModelOutput) -> dict[str, Tensor]:
    """An answer as tensors by name: `logits.overall`, `codes.video`, `where.value`; what is None is left out.

    Every name has a dot: the exporter calls inner values of the graph `where`, and two of one name are an error.

    Raises:
        TypeError: If a field of the answer is neither a tensor nor tensors by name.
    """
    flat: dict[str, Tensor] = {}
    for field, value in output._asdict().items():
        if isinstance(value, Tensor):
            flat[f"{field}.{_ONE}"] = value
        elif isinstance(value, Mapping | Seen):
            named = value._asdict() if isinstance(value, Seen) else value
            flat |= {f"{field}.{name}": tensor for name, tensor in named.items()}
        elif value is not None:
            raise TypeError(f"ModelOutput.{field}: cannot be an output of a graph: {type(value).__name__}")
    return flat


def unflatten(flat: Mapping[str, Tensor]) -> ModelOutput:
    """What `flatten` took apart."""
    # A field without a default holds tensors by name, and may hold none.
    fields: dict[str, object] = {name: {} for name in ModelOutput._fields if name not in ModelOutput._field_defaults}
    seen: dict[str, Tensor] = {}
    for path, tensor in flat.items():
        field, _, name = path.partition(".")
        group = seen if field == "seen" else fields.get(field)
        if isinstance(group, dict):
            group[name] = tensor
        else:
            fields[field] = tensor
    if seen:
        fields["seen"] = Seen(**seen)
    return ModelOutput(**fields)  # type: ignore[arg-type]
