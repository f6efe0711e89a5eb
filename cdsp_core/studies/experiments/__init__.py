"""What a study's jobs train and measure."""
