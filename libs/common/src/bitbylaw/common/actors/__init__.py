"""One actor per entity: mailbox, lease, journal, and the worker that runs them."""
