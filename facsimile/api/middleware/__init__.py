"""What every request passes before its route: identity and log, disconnects, limits on bodies."""
