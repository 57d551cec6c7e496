"""From packer/ to an image: the bake key, Packer under supervision, and what went wrong."""
