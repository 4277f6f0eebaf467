"""The training loop: schedule, checkpoints, evaluation, stopping, the diary."""
