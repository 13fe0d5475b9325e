"""Signed webhooks into the stream: the gateway beside the plain floor and beside a server that stores nothing."""
