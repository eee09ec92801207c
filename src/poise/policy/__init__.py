"""What to show of what is ranked: steps with one interface, dials with measured consequences."""

from __future__ import annotations

from poise.policy.cold_start_boost import ColdStartBoost as ColdStartBoost
from poise.policy.explore_unknown import ExploreUnknown as ExploreUnknown
from poise.policy.hide_seen import HideSeen as HideSeen
from poise.policy.step import PolicyRequest as PolicyRequest
from poise.policy.step import PolicyStep as PolicyStep
