"""Stand-ins for the official Pulumi plugins `aws` and `command`, for machines that cannot get those.

As thin as can be, and true to what the official ones do as far as the program notices; the program itself
does not know them.
"""
