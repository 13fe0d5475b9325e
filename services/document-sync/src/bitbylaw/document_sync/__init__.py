"""EspoCRM documents to xAI files and collections."""
