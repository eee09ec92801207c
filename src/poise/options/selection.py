"""What a model selected on the validation part, apart from its options and from what it learnt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Selection:
    """What a model selected; a subclass has a field for each choice, None where nothing was selected."""

    def to_dict(self) -> dict[str, Any]:
        """Return what was selected, by name, as JSON knows it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, selected: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` gave."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(dict(selected))
