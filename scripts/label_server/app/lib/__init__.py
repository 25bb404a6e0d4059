"""What the app adds to MONAI Label."""
