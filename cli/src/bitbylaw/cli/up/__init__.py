"""`bitbylaw up`: the whole suite on one machine, simulators standing in for what has no credentials."""
