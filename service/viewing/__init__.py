"""What the image viewer of the browser gets: slices as numbers, label maps, places and heat maps of a reading."""
