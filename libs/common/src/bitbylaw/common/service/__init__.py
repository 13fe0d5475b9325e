"""A service's life: start, signals, drain, health and metrics."""
