"""Calls to outside systems: limits, breaker, retries, Retry-After, streaming."""
