"""Makes pictures: presets, pipelines, previews, and the vocabulary that reads instructions."""
