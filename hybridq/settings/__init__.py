"""Reading the configuration: files and the environment into typed values, mistakes named with their place."""
