"""From one configuration to a trained model."""
