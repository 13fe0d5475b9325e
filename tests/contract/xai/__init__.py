"""The simulated xAI held against the reference and against the vendor's own descriptors."""
