"""Shared ground of the services: events, bus, actors, HTTP, telemetry, settings, service lifecycle."""
