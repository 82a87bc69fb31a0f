"""Runs: what happens between a configuration and a folder of results."""
