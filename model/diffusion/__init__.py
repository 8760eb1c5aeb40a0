"""What training and sampling are made of besides networks: schedules, weights, losses, windows."""
