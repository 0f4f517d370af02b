"""The configuration of a node: typed sections of personalize.toml."""

from app.config.loading import ConfigError, load_config, parse_config
from app.config.schema import Config

__all__ = ["Config", "ConfigError", "load_config", "parse_config"]
