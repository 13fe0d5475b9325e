"""NATS JetStream behind a thin port of ours: topology, publishing, consuming, key-value buckets, dead letters."""
