"""The one HTTP door: signed webhooks in, keyed events out."""
