"""The trail's collections: records (`trail`), checkpoints and keys (`checkpoints`), names for answers (`names`)."""
