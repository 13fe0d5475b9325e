"""What the product's hot paths do beside plain code and beside the field: `make bench`."""
