"""What MONAI lacks for the U-Net of 2015: the valid-padding network, its augmentation, weight map, inference and measures."""
