"""Stateful servers that behave like EspoCRM and xAI, faults included; they know no product code."""
