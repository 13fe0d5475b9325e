"""What a service tells about itself: events with fields, metrics of the Contract, W3C traces."""
