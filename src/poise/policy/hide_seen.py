from __future__ import annotations

from pydantic.dataclasses import dataclass

from poise.candidates import Candidates
from poise.policy.step import PolicyRequest, PolicyStep
from poise.recommender import OPTIONS


@dataclass(kw_only=True, eq=False, config=OPTIONS)
class HideSeen(PolicyStep):
    """Leaves out what the person already did something with, or said no to, unless the request wants it."""

    def apply(self, candidates: Candidates, request: PolicyRequest) -> Candidates:
        """See :meth:`PolicyStep.apply`."""
        if request.queries.hide_seen:
            candidates.hide(request.queries.done())
        return candidates
