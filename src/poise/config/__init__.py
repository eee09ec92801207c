"""``poise.toml``: what a project is made of."""

from poise.config.project_config import FILE, Config, check_config, parse_config, read_config
from poise.config.tables import PipelineTable, ServeTable

__all__ = [
    "FILE",
    "Config",
    "PipelineTable",
    "ServeTable",
    "check_config",
    "parse_config",
    "read_config",
]
