"""Events out of the stream: the worker beside a bare nats-py loop and beside FastStream."""
