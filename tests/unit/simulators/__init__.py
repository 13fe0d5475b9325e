"""The simulators' own parts, without a server where it can be."""
