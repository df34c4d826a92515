"""What customers will order and spend: models, and the lists that follow."""
