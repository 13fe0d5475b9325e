"""Webhooks: registering, queueing, signing, sending (reference 1)."""
