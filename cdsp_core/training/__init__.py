"""One training step and what is measured of it: batches, trainer, checkpoints, evaluation, telemetry."""
