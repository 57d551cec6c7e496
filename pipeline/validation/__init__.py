"""The verdict on an image, from machines that were booted from it."""
