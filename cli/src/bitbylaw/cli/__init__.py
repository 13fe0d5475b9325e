"""The bitbylaw command."""
