"""The REST service: uploads on disk, a queue that survives, workers that may die."""
