"""Configuration: `config.toml` and its environment twins, read into typed values, each mistake named with its line."""
